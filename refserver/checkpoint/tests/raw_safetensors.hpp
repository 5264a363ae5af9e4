// Safetensors files for tests, read and written without the code under test; every field may be a lie.
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "exporters/tests/scratch_dir.hpp"

namespace refserver {

struct RawTensor {
  std::string dtype;
  std::vector<std::uint64_t> shape;
  std::string bytes;
};
using RawTensors = std::map<std::string, RawTensor>;

inline void write_text(const std::filesystem::path& path, std::string_view text) {
  std::ofstream(path, std::ios::binary) << text;
}

/// A file of a length, a header and data, as they are given.
inline std::string file_of(std::uint64_t length, std::string_view header, std::string_view data) {
  std::string file;
  for (std::size_t i = 0; i < 8; ++i) file += static_cast<char>(length >> 8 * i & 0xFFU);
  return file.append(header).append(data);
}

inline std::string file_of(std::string_view header, std::string_view data) {
  return file_of(header.size(), header, data);
}

/// The whole of a file. In one read: tests are not optimised, and files are read hundreds of times.
inline std::string read_bytes(const std::filesystem::path& path) {
  std::string bytes(std::filesystem::file_size(path), '\0');
  std::ifstream(path, std::ios::binary).read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  return bytes;
}

inline RawTensors read_raw(const std::filesystem::path& path) {
  const std::string file = read_bytes(path);
  std::uint64_t length = 0;
  for (std::size_t i = 0; i < 8; ++i) length |= std::uint64_t{static_cast<unsigned char>(file[i])} << 8 * i;
  const auto header = nlohmann::json::parse(file.substr(8, length));
  RawTensors tensors;
  for (const auto& [name, entry] : header.items()) {
    if (name == "__metadata__") continue;
    const std::uint64_t begin = entry["data_offsets"][0], end = entry["data_offsets"][1];
    tensors[name] = {entry["dtype"], entry["shape"], file.substr(8 + length + begin, end - begin)};
  }
  return tensors;
}

/// In the order of names. `padding` spaces after the header: 0 to 7 of them move every tensor off its alignment.
inline void write_raw(const std::filesystem::path& path, const RawTensors& tensors, std::size_t padding = 0) {
  nlohmann::json header;
  std::string data;
  for (const auto& [name, tensor] : tensors) {
    header[name] = {{"dtype", tensor.dtype},
                    {"shape", tensor.shape},
                    {"data_offsets", {data.size(), data.size() + tensor.bytes.size()}}};
    data += tensor.bytes;
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8 + padding, ' ');
  write_text(path, file_of(text, data));
}

/// A folder with a tokenizer of 104 ids, so that made-up models are small files.
inline std::filesystem::path make_small_tokenizer(const std::filesystem::path& folder) {
  nlohmann::json json{{"added_tokens", nlohmann::json::array()}, {"model", {{"vocab", nlohmann::json::object()}}}};
  for (int i = 0; i < 100; ++i) json["model"]["vocab"]["t" + std::to_string(i)] = i;
  int id = 100;
  for (const char* const name : {"<|begin_of_text|>", "<|eot_id|>", "<|endoftext|>", "<|im_end|>"}) {
    json["added_tokens"].push_back({{"id", id++}, {"content", name}});
  }
  std::filesystem::create_directories(folder);
  write_text(folder / "tokenizer.json", json.dump());
  write_text(folder / "tokenizer_config.json", "{}");
  return folder;
}

}  // namespace refserver

#include "loadgen/cli_export_command.hpp"

#include <fmt/format.h>

#include <utility>

#include "loadgen/cli_help.hpp"
#include "loadgen/cli_options.hpp"

namespace loadgen {
namespace {

std::optional<ExportFrom> parse_from(const std::string& word) {
  for (const auto& [name, from] : {std::pair("auto", ExportFrom::automatic),
                                   {"spill", ExportFrom::spill},
                                   {"points", ExportFrom::points},
                                   {"requests", ExportFrom::requests}})
    if (word == name) return from;
  return std::nullopt;
}

}  // namespace

void add_export_command(CLI::App& app, ExportCommandFlags& flags) {
  CLI::App& command = *app.add_subcommand("export", "Send what a run kept in files to InfluxDB, or make a table of it")
                           ->footer(export_footer);
  const char* const group = "Export";
  OptionGroup options(command, group);
  options.text("DIR|FILE", flags.input, "", "Run folder, or a file of line protocol, or a requests.jsonl");
  options.text("--from", flags.from, "spill|points|requests",
               "What of the folder to send (default: influx-spill.lp if there is one, else points.lp)");
  options.text("--csv", flags.csv, "FILE", "Write requests.jsonl to FILE as a table (RFC 4180)");
  add_influx_flags(command, flags.influx, group);
  options.flag("--quiet", flags.quiet, "No progress display");
}

Result<ExportCommand, std::string> read_export_command(const ExportCommandFlags& flags) {
  const auto refuse = [](std::string why) -> Result<ExportCommand, std::string> {
    return {boost::system::in_place_error, std::move(why)};
  };
  if (!flags.input || flags.input->empty())
    return refuse(
        "loadgen export: name a run folder, as in 'loadgen export runs/first --influx http://127.0.0.1:8086/db'");
  const auto from = parse_from(flags.from.value_or("auto"));
  if (!from) return refuse(fmt::format("--from: must be spill, points or requests, is '{}'", *flags.from));
  if (flags.csv && flags.csv->empty()) return refuse("--csv: must not be empty");
  auto influx = read_influx_flags(flags.influx);
  if (!influx) return refuse(influx.error());
  if (!*influx && !flags.csv)
    return refuse("loadgen export: say where to: --influx http://HOST:PORT/DB, --csv FILE, or both");
  if (!*influx && flags.from) return refuse("--from: says what goes to --influx, which is missing");
  ExportCommand command{*flags.input, *from, std::move(*influx), std::nullopt, flags.quiet};
  if (flags.csv) command.csv = *flags.csv;
  return command;
}

}  // namespace loadgen

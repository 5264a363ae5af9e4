// Messages and tools of a chat body, in TGI's reading of them (TGI 3.3.7). Where TGI takes one of several shapes and
// none fits, its error names only the enclosing value; so here the parts are read from their own text, and what was
// wrong with them is not told.
#include "refserver/api/field_reader.hpp"
#include "refserver/api/read_request.hpp"

namespace refserver {
namespace {

/// {"type":"image_url","image_url":{"url":".."}}; TGI shows it to the template as a Markdown image.
bool read_image(JsonReader& json, std::string& out) {
  bool has_url = false;
  for (bool open = json.begin_object("struct Url"); open && json.next_key();) {
    if (json.key() == "url") {
      out = "![](" + json.read_string() + ")";
      has_url = true;
    } else {
      json.skip_value();
    }
  }
  return has_url && !json.failed();
}

/// One element of a content array; false if it is neither text nor image.
bool read_chunk(JsonReader& json, std::string& content, bool& has_images) {
  std::string type;
  std::optional<std::string> text;
  std::optional<std::string> image;
  for (bool open = json.begin_object("a message chunk"); open && json.next_key();) {
    if (json.key() == "type") {
      type = json.read_string();
    } else if (json.key() == "text" && json.peek() == '"') {
      text = json.read_string();
    } else if (json.key() == "image_url" && json.peek() == '{') {
      image.emplace();
      if (!read_image(json, *image)) image.reset();
    } else {
      json.skip_value();
    }
  }
  if (json.failed()) return false;
  if (type == "text" && text) {
    content += *text;
    return true;
  }
  if (type != "image_url" || !image) return false;
  content += *image;
  has_images = true;
  return true;
}

/// A string, or a list of chunks whose texts are joined.
bool read_content(std::string_view raw, Message& message, bool& has_images) {
  JsonReader json(raw);
  if (json.peek() == '"') {
    message.content = json.read_string();
    return !json.failed();
  }
  bool fits = json.peek() == '[';
  for (bool open = fits && json.begin_array(); open && fits && json.next_element();) {
    fits = read_chunk(json, message.content, has_images);
  }
  return fits && !json.failed();
}

/// name and arguments (or parameters) are required; the name goes to `name`.
void read_function(JsonReader& json, std::string& name) {
  bool has_name = false;
  bool has_arguments = false;
  for (bool open = json.begin_object("struct FunctionDefinition"); open && json.next_key();) {
    if (json.key() == "name") {
      name = json.read_string();
      has_name = true;
    } else if (json.key() == "description") {
      read_optional(json, [](JsonReader& j) { return j.read_string(); });
    } else {
      has_arguments = has_arguments || json.key() == "arguments" || json.key() == "parameters";
      json.skip_value();
    }
  }
  if (json.failed()) return;
  if (!has_name) return json.fail_missing("name");
  if (!has_arguments) json.fail_missing("arguments");
}

/// {"type","function"}, with an "id" where it is a call.
void read_tool(JsonReader& json, bool is_call, std::string& name) {
  bool has_id = !is_call;
  bool has_type = false;
  bool has_function = false;
  for (bool open = json.begin_object(is_call ? "struct ToolCall" : "struct Tool"); open && json.next_key();) {
    if (json.key() == "type") {
      json.read_string();
      has_type = true;
    } else if (json.key() == "function") {
      read_function(json, name);
      has_function = true;
    } else if (is_call && json.key() == "id") {
      json.read_string();
      has_id = true;
    } else {
      json.skip_value();
    }
  }
  if (json.failed()) return;
  if (!has_id) return json.fail_missing("id");
  if (!has_type) return json.fail_missing("type");
  if (!has_function) json.fail_missing("function");
}

bool are_tool_calls(std::string_view raw) {
  JsonReader json(raw);
  std::string name;
  for (bool open = json.begin_array(); open && json.next_element();) read_tool(json, true, name);
  return !json.failed();
}

void read_message(JsonReader& json, GenerateRequest& request) {
  Message message;
  std::string_view content;
  std::string_view calls;
  bool has_role = false;
  for (bool open = json.begin_object("struct Message"); open && json.next_key();) {
    if (json.key() == "role") {
      message.role = json.read_string();
      has_role = true;
    } else if (json.key() == "name") {
      message.name = read_optional(json, [](JsonReader& j) { return j.read_string(); }).value_or("");
    } else if (json.key() == "content") {
      content = json.read_raw();
    } else if (json.key() == "tool_calls") {
      calls = json.read_raw();
    } else if (json.key() == "tool_call_id" && json.peek() == '"') {
      message.tool_call_id = json.read_string();
    } else {
      json.skip_value();
    }
  }
  if (json.failed()) return;
  if (!has_role) return json.fail_missing("role");
  message.has_content = !content.empty() && read_content(content, message, request.has_images);
  if (!calls.empty() && are_tool_calls(calls)) message.tool_calls = calls;
  if (!message.has_content) message.content.clear();
  if (!message.has_content && message.tool_calls.empty()) {
    return json.fail_shape("data did not match any variant of untagged enum MessageBody");
  }
  request.messages.push_back(std::move(message));
}

}  // namespace

void read_messages(JsonReader& json, GenerateRequest& request) {
  for (bool open = json.begin_array(); open && json.next_element();) read_message(json, request);
}

void read_tools(JsonReader& json, ToolUse& tools) {
  if (json.try_null() || json.failed()) return;
  tools.is_given = true;
  JsonReader copy = json;
  for (bool open = json.begin_array(); open && json.next_element();) {
    read_tool(json, false, tools.names.emplace_back());
  }
  if (!json.failed()) tools.definitions = copy.read_raw();
}

void read_tool_choice(JsonReader& json, ToolUse& tools) {
  const std::string_view raw = json.read_raw();
  if (json.failed() || raw == "null") return;
  JsonReader choice(raw);
  std::string name;
  std::string type = "function";
  bool has_function = false;
  if (choice.peek() == '"') {
    name = choice.read_string();
  } else {
    type.clear();
    for (bool open = choice.begin_object("a tool choice"); open && choice.next_key();) {
      if (choice.key() == "type" && choice.peek() == '"') {
        type = choice.read_string();
      } else if (choice.key() == "function" && choice.peek() == '{') {
        for (bool inside = choice.begin_object("struct FunctionName"); inside && choice.next_key();) {
          if (choice.key() == "name") {
            name = choice.read_string();
            has_function = true;
          } else {
            choice.skip_value();
          }
        }
      } else {
        choice.skip_value();
      }
    }
    if (!choice.failed() && (type != "function" || !has_function)) choice.fail_shape("");
  }
  if (choice.failed()) {
    return json.fail_after("data did not match any variant of untagged enum ToolTypeDeserializer");
  }
  tools.choice = ToolUse::Choice::named;
  if (!has_function && name == "none") tools.choice = ToolUse::Choice::none;
  if (!has_function && name == "auto") tools.choice = ToolUse::Choice::automatic;
  if (!has_function && name == "required") tools.choice = ToolUse::Choice::required;
  tools.chosen = std::move(name);
}

}  // namespace refserver

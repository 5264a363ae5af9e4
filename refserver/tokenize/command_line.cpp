#include "refserver/tokenize/command_line.hpp"

#include <CLI/CLI.hpp>

namespace refserver::tokenize {
namespace {

constexpr const char* kDescription =
    "Texts to token ids and back, with a checkpoint's own tokenizer: what the server will make of a prompt.\n"
    "Reads one text, id list or conversation per line and prints one result per line as it goes.";

constexpr const char* kFooter = R"(
A line is a JSON string, or an object whose "prompt" or "inputs" is one; with --text it is the text itself.
Lines that are wrong end the program with their number and exit code 1; what was printed before them stands.

Examples (DIR is a folder with tokenizer.json and tokenizer_config.json):
  echo '"Hello, world!"' | tokenize --tokenizer DIR              ids: [9707,11,1879,0]
  echo '"Hello, world!"' | tokenize --tokenizer DIR --spans      [[9707,0,5],[11,5,6],[1879,6,12],[0,12,13]]
  echo '[9707,11,1879,0]' | tokenize --tokenizer DIR --decode    "Hello, world!"
  tokenize --tokenizer DIR --count --text scenarios/prompts/qa-en.txt
                                                                 how long each prompt of a file is
  echo '[{"role":"user","content":"Hi"}]' | tokenize --tokenizer DIR --chat
                                                                 the prompt that the chat template makes
  echo '{"messages":[{"role":"user","content":"Hi"}],"add_generation_prompt":false,"date_string":"1 Jan 2025"}' |
      tokenize --tokenizer DIR --chat --count                    its length; further members are template variables

Exit codes: 0 all lines done, 1 a bad line or an input that cannot be read, 64 bad flags, tokenizer or chat template.)";

Task task_of(bool decode, bool chat, bool count, bool spans) {
  if (chat) return count ? Task::chat_count : Task::chat;
  if (decode) return Task::decode;
  return count ? Task::count : spans ? Task::spans : Task::encode;
}

}  // namespace

CommandLine parse_command_line(int argc, const char* const* argv) {
  CLI::App app(kDescription, "tokenize");
  app.footer(kFooter);
  app.get_formatter()->label("Excludes", "not with");
  app.get_formatter()->label("Needs", "only with");
  app.get_formatter()->label("REQUIRED", "(required)");
  Settings settings;
  bool no_special = false, keep_special = false, plain = false, text = false;
  bool decode = false, chat = false, count = false, spans = false;
  app.add_option("--tokenizer", settings.tokenizer, "tokenizer.json, or the folder of a checkpoint")
      ->type_name("FILE|DIR")
      ->required();
  app.add_option("INPUT", settings.input, "file to read instead of standard input")->type_name("FILE");
  CLI::Option* const text_flag = app.add_flag("--text", text, "lines are texts as they stand, not JSON");
  CLI::Option* const count_flag = app.add_flag("--count", count, "print only how many ids each line has");
  CLI::Option* const spans_flag =
      app.add_flag("--spans", spans, "print [id, start, stop] with byte offsets into the text");
  CLI::Option* const decode_flag = app.add_flag("--decode", decode, "the other way: lists of ids to JSON strings");
  CLI::Option* const chat_flag =
      app.add_flag("--chat", chat, "lines are conversations: print the prompts that the chat template makes of them");
  app.add_option("--template", settings.chat_template,
                 "built-in chat template (qwen2, qwen2.5, llama3) in place of the checkpoint's")
      ->type_name("NAME")
      ->needs(chat_flag);
  CLI::Option* const no_special_flag =
      app.add_flag("--no-special", no_special, "do not add special tokens such as the beginning of the text");
  app.add_flag("--keep-special", keep_special, "with --decode: keep the special tokens in the text")
      ->needs(decode_flag);
  CLI::Option* const plain_flag =
      app.add_flag("--plain", plain, "special tokens written out in a text are text like any other");
  spans_flag->excludes(count_flag)->excludes(chat_flag);
  decode_flag->excludes(text_flag)->excludes(count_flag)->excludes(spans_flag)->excludes(chat_flag);
  decode_flag->excludes(no_special_flag)->excludes(plain_flag);
  chat_flag->excludes(text_flag)->excludes(plain_flag);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return {std::nullopt, app.exit(e) == 0 ? ExitCode::ok : ExitCode::bad_usage};
  }
  Conversion& conversion = settings.conversion;
  conversion.task = task_of(decode, chat, count, spans);
  conversion.form = text ? InputForm::text : InputForm::json;
  // A chat template writes the special tokens itself.
  conversion.encode.special_tokens =
      no_special || chat ? tokenizer::SpecialTokens::omit : tokenizer::SpecialTokens::add;
  conversion.encode.token_text = plain ? tokenizer::TokenText::plain : tokenizer::TokenText::recognise;
  conversion.decode = keep_special ? tokenizer::SpecialText::keep : tokenizer::SpecialText::skip;
  return {std::move(settings), ExitCode::ok};
}

}  // namespace refserver::tokenize

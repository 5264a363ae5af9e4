// The built-in prompts, a few per scenario in English and Chinese.
#include "loadgen/plan/default_prompts.hpp"

namespace loadgen {
namespace {

const std::vector<std::string>& questions() {
  static const std::vector<std::string> texts = {
      "Why does bread dough rise, and what happens if it is left to rise for too long?",
      "How does a heat pump warm a house when the air outside is colder than the air inside?",
      "为什么海水是咸的，而流入大海的河水却是淡的？",
      "自行车在行驶时为什么不容易倒下？",
  };
  return texts;
}

const std::vector<std::string>& passages() {
  static const std::vector<std::string> texts = {
      "The city library moved its lending desk to the ground floor in March. Before the move, people with prams or "
      "wheelchairs had to wait for the only lift, and staff carried about forty boxes of returned books upstairs every "
      "day. "
      "In the six months since, visits have grown by a fifth and the queue at closing time has almost disappeared. The "
      "old "
      "room on the first floor is now used for language courses, which are booked out until spring.",
      "去年秋天，村里把废弃的粮仓改成了一个小型博物馆，展出附近居民捐赠的农具、照片和手写账本。开馆半年来，周末平均每天"
      "有"
      "一百多人参观，其中不少是带着孩子从城里来的家庭。村委会用门票收入修了停车场，并请退休教师为参观者讲解。有人担心游"
      "客太"
      "多会打扰村民的生活，因此博物馆决定每天只开放六个小时。",
  };
  return texts;
}

const std::vector<std::string>& drafts() {
  static const std::vector<std::string> texts = {
      "hey, the thing you sent doesnt work at all, it crashes all the time, fix it today please because we need it",
      "The meeting was about the budget and it was long and in the end nobody decided anything so there will be "
      "another one.",
      "这个东西太难用了，我点了半天都没反应，你们赶紧看看到底怎么回事。",
      "昨天开会说的那个事情我觉得不太行，时间太紧了，而且人也不够。",
  };
  return texts;
}

std::vector<std::string> with_instruction(std::string_view instruction, const std::vector<std::string>& texts) {
  std::vector<std::string> prompts;
  for (const std::string& text : texts) prompts.push_back(std::string(instruction) + "\n\n" + text);
  return prompts;
}

}  // namespace

std::vector<std::string> default_prompts(std::string_view scenario, Route route) {
  const bool raw = route == Route::gateway;
  if (scenario == "summarize")
    return raw ? passages()
               : with_instruction("Summarize the following text in two sentences, in its own language.", passages());
  if (scenario == "rewrite")
    return raw ? drafts()
               : with_instruction("Rewrite the following text in a clear and polite style, in its own language.",
                                  drafts());
  return questions();
}

}  // namespace loadgen

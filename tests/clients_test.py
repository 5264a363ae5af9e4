#!/usr/bin/env python3
"""Other people's clients against our server: text-generation, huggingface_hub and openai, each as its users call it.

usage: clients_test.py VENV_DIR
"""
import subprocess
import sys

import harness
from harness import Server

PACKAGES = (("text_generation", "text-generation==0.7.0"), ("huggingface_hub", "huggingface_hub==0.36.0"), ("openai", "openai==1.109.1"))

TEXT_GENERATION = r"""
import sys, asyncio
from text_generation import Client, AsyncClient
from text_generation.errors import ValidationError
client = Client(sys.argv[1], timeout=20)
answer = client.generate("Hi", max_new_tokens=3)
assert answer.generated_text == " t1 t2 t3", answer
assert answer.details.finish_reason.value == "length" and len(answer.details.tokens) == 3 and answer.details.prefill == []
best = client.generate("Hi", max_new_tokens=2, best_of=2, do_sample=True)
assert len(best.details.best_of_sequences) == 1
stopped = client.generate("Hi", max_new_tokens=9, stop_sequences=["t2"], return_full_text=True)
assert stopped.generated_text == "Hi t1 t2", stopped
events = list(client.generate_stream("Hi", max_new_tokens=3))
assert [e.token.text for e in events] == [" t1", " t2", " t3"]
assert events[-1].generated_text == " t1 t2 t3" and events[-1].details.generated_tokens == 3
chat = client.chat([{"role": "user", "content": "Hi"}], max_tokens=2)
assert chat.choices[0].message.content == " t1 t2"
for call in (lambda: client.generate("", max_new_tokens=1), lambda: list(client.generate_stream("", max_new_tokens=1))):
    try:
        call()
    except ValidationError as e:
        assert "`inputs` cannot be empty" in str(e)
    else:
        raise AssertionError("no ValidationError")
async def stream():
    other = AsyncClient(sys.argv[1], timeout=20)
    got = [e async for e in other.generate_stream("Hi", max_new_tokens=2)]
    assert got[-1].generated_text == " t1 t2"
# Its chat streams need fields that TGI does not send either, once pydantic 2 is installed.
asyncio.run(stream())
"""

HUGGINGFACE_HUB = r"""
import sys
from huggingface_hub import InferenceClient
from huggingface_hub.errors import ValidationError, OverloadedError, TextGenerationError
client = InferenceClient(model=sys.argv[1], timeout=20)
assert client.text_generation("Hi", max_new_tokens=3) == "Hi t1 t2 t3"  # it asks POST /, which shows the prompt
assert client.text_generation("Hi", max_new_tokens=3, return_full_text=False) == " t1 t2 t3"
details = client.text_generation("Hi", max_new_tokens=3, details=True, top_n_tokens=2)
assert details.details.generated_tokens == 3 and len(details.details.top_tokens[0]) == 2
assert list(client.text_generation("Hi", max_new_tokens=3, stream=True)) == [" t1", " t2", " t3"]
last = list(client.text_generation("Hi", max_new_tokens=3, stream=True, details=True))[-1]
assert last.generated_text == "Hi t1 t2 t3" and last.details.finish_reason == "length"
chat = client.chat_completion([{"role": "user", "content": "Hi"}], max_tokens=2, logprobs=True, top_logprobs=1)
assert chat.choices[0].message.content == " t1 t2" and chat.usage.completion_tokens == 2 and chat.object == "chat.completion"
assert chat.choices[0].logprobs.content[0].top_logprobs[0].token == " t1"
chunks = list(client.chat_completion([{"role": "user", "content": "Hi"}], max_tokens=2, stream=True, stream_options={"include_usage": True}))
assert "".join(c.choices[0].delta.content for c in chunks if c.choices) == " t1 t2" and chunks[-1].usage.completion_tokens == 2
try:
    client.text_generation("", max_new_tokens=1)
except TextGenerationError as e:
    assert isinstance(e, ValidationError), e
else:
    raise AssertionError("no ValidationError")
try:
    list(client.text_generation("", max_new_tokens=1, stream=True))
except ValidationError:
    pass
else:
    raise AssertionError("no ValidationError in the stream")
"""

OPENAI = r"""
import sys
import openai
client = openai.OpenAI(base_url=sys.argv[1] + "/v1", api_key="key", timeout=20, max_retries=0)
assert client.models.list().data[0].id == "Qwen2-7B-Instruct-GPTQ-Int4"
chat = client.chat.completions.create(model="tgi", messages=[{"role": "user", "content": "Hi"}], max_tokens=2, logprobs=True, top_logprobs=2)
assert chat.choices[0].message.content == " t1 t2" and chat.choices[0].finish_reason == "length" and chat.usage.completion_tokens == 2
assert len(chat.choices[0].logprobs.content[1].top_logprobs) == 2
stream = client.chat.completions.create(model="tgi", messages=[{"role": "user", "content": "Hi"}], max_completion_tokens=3, stream=True,
                                        stream_options={"include_usage": True})
chunks = list(stream)
assert "".join(c.choices[0].delta.content for c in chunks if c.choices) == " t1 t2 t3" and chunks[-1].usage.completion_tokens == 3
completion = client.completions.create(model="tgi", prompt=["a", "b"], max_tokens=2)
assert sorted((c.index, c.text) for c in completion.choices) == [(0, " t1 t2"), (1, " t1 t2")] and completion.usage.completion_tokens == 4
parts = list(client.completions.create(model="tgi", prompt="a", max_tokens=2, stream=True))
assert "".join(p.choices[0].text for p in parts) == " t1 t2"
for bad, error in ((dict(max_tokens=0), openai.UnprocessableEntityError), (dict(top_p=1), openai.UnprocessableEntityError)):
    try:
        client.chat.completions.create(model="tgi", messages=[{"role": "user", "content": "Hi"}], **bad)
    except error as e:
        assert e.status_code == 422
    else:
        raise AssertionError(bad)
try:
    list(client.completions.create(model="tgi", prompt="", stream=True))
except openai.APIError as e:
    assert "`inputs` cannot be empty" in str(e)
else:
    raise AssertionError("no APIError in the stream")
stranger = openai.OpenAI(base_url=sys.argv[1] + "/v1", api_key="wrong", timeout=20, max_retries=0)
try:
    stranger.chat.completions.create(model="tgi", messages=[{"role": "user", "content": "Hi"}], max_tokens=1)
except openai.AuthenticationError as e:
    assert e.status_code == 401
else:
    raise AssertionError("no AuthenticationError")
"""


class Clients(harness.Test):
    def run_client(self, script, *flags):
        for dialect in ((), ("--strict-tgi",)):
            with Server(*flags, *dialect, ttft="5ms", gap="1ms") as server:
                done = subprocess.run([PYTHON, "-c", script, server.url], capture_output=True, text=True, timeout=60)
                self.assertEqual(done.returncode, 0, f"{dialect}: {done.stderr[-3000:]}")

    def test_text_generation(self):
        self.run_client(TEXT_GENERATION)

    def test_huggingface_hub(self):
        self.run_client(HUGGINGFACE_HUB)

    def test_openai(self):
        self.run_client(OPENAI, "--api-key", "key")


if __name__ == "__main__":
    folder = sys.argv.pop(1)
    for module, requirement in PACKAGES:
        PYTHON = harness.venv_python(folder, module, requirement)
    harness.main()

"""Reads line protocol strictly and by itself: what another program would find in the bytes that we write."""


class Broken(Exception):
    pass


def _word(text, at, ends):
    """A name or tag value from `at` to the first of `ends` that no backslash stands before; unescaped, and where it ended."""
    out = []
    while at < len(text):
        c = text[at]
        if c == "\n":
            break
        if out and out[-1] == "\\" and c in ",= ":
            out[-1] = c
        elif c in ends:
            break
        else:
            out.append(c)
        at += 1
    return "".join(out), at


def _quoted(text, at):
    """A string field behind its opening quote."""
    out = []
    while True:
        if at >= len(text):
            raise Broken("a text without an end")
        c = text[at]
        if c == "\\" and text[at + 1:at + 2] in ("\\", '"'):
            at += 1
            c = text[at]
        elif c == '"':
            return "".join(out), at + 1
        out.append(c)
        at += 1


def _value(text, at):
    if text[at:at + 1] == '"':
        return _quoted(text, at + 1)
    word, at = _word(text, at, ", ")
    if word in ("true", "false"):
        return word == "true", at
    try:
        return (int(word[:-1]) if word.endswith("i") else float(word)), at
    except ValueError:
        raise Broken(f"no value: {word!r}") from None


def points(text):
    """Yields (measurement, tags, fields, time) of every point."""
    at = 0
    while at < len(text):
        measurement, at = _word(text, at, ", ")
        tags, fields = {}, {}
        while text[at:at + 1] == ",":
            key, at = _word(text, at + 1, "=")
            if text[at:at + 1] != "=" or key in tags:
                raise Broken(f"tag {key!r} of {measurement!r}")
            tags[key], at = _word(text, at + 1, ", ")
        separator = " "
        while text[at:at + 1] == separator:
            key, at = _word(text, at + 1, "=")
            if text[at:at + 1] != "=" or key in fields:
                raise Broken(f"field {key!r} of {measurement!r}")
            fields[key], at = _value(text, at + 1)
            separator = ","
        if not measurement or not fields or text[at:at + 1] != " ":
            raise Broken(f"behind the fields of {measurement!r}: {text[at:at + 20]!r}")
        time, at = _word(text, at + 1, "\n")
        if text[at:at + 1] != "\n" or not time.lstrip("-").isdigit():
            raise Broken(f"time of {measurement!r}: {time!r}")
        at += 1
        yield measurement, tags, fields, int(time)

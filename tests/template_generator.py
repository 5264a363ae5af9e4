"""Small chat templates made at random, from a seed, out of the constructs that real ones are written in."""
import random

NAMES = ["s", "e", "u", "l", "d", "n", "t", "i", "neg", "f", "names", "messages", "m", "x", "y", "zz", "ns", "loop", "tools"]
ATTRIBUTES = ["content", "role", "a", "b", "C", "tool_calls", "index", "index0", "first", "last", "length", "previtem", "nextitem", "x",
              "items", "zz", "append"]
TEXTS = ["''", "'a'", "'b,c'", "' pad '", "'user'", "'system'", "'é你'", "'\\n'", "'x\\ty'", "\"it's\"", "'A'", "'ab cd'", "'\\u00a0z'", "'ß'"]
FILTERS = ["trim", "upper", "lower", "title", "capitalize", "length", "count", "string", "int", "float", "list", "first", "last", "join",
           "join(',')", "join(', ', attribute='a')", "tojson", "tojson(indent=2)", "sort", "sort(reverse=true)", "sort(attribute='role')",
           "unique|list", "reverse|list", "default('q')", "default('q', true)", "d(1)", "map('upper')|list", "map('string')|join('|')",
           "map(attribute='role')|list", "map(attribute='content')|join", "select|list", "reject|list", "select('string')|list",
           "select('defined')|list", "reject('none')|list", "selectattr('role')|list|length", "selectattr('role','equalto','user')|list",
           "rejectattr('content')|list|length", "dictsort", "items|list", "abs", "round", "round(1)", "sum", "min", "max", "replace('a','b')",
           "replace('','-')", "indent", "indent(2)", "indent(2,true)", "batch(2)|list", "slice(2)|list", "center(9)", "safe", "e",
           "attr('role')", "trim('a ')"]
TESTS = ["defined", "not defined", "none", "not none", "string", "not string", "mapping", "iterable", "sequence", "number", "boolean", "true",
         "false", "integer", "float", "odd", "even", "divisibleby(2)", "divisibleby 3", "upper", "lower", "equalto('a')", "eq 1", "ne(2)",
         "gt(1)", "in([1,2])", "in 'abc'", "sameas none", "undefined", "lt 5"]
METHODS = ["strip()", "lstrip()", "rstrip()", "strip('a ')", "split()", "split(',')", "split(' ',1)", "rsplit(' ',1)", "startswith('a')",
           "endswith('d')", "replace('a','zz')", "replace('a','zz',1)", "upper()", "lower()", "title()", "capitalize()", "items()", "keys()",
           "values()", "get('a')", "get('zz')", "get('zz', 3)", "append(1)", "pop()", "find('a')", "count('a')", "index('a')", "splitlines()",
           "join(['x','y'])", "isspace()", "islower()", "removeprefix('a')", "removesuffix('d')", "partition(',')", "copy()", "zfill(6)",
           "ljust(6)", "center(7,'*')", "rfind('a')", "startswith(('a','b'))", "splitlines(true)"]
ARITHMETIC = ["+", "-", "*", "/", "//", "%", "~", "~", "+"]
COMPARISONS = ["==", "!=", "<", "<=", ">", ">=", "in", "not in"]


class Generator:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.pick = self.random.choice

    def template(self):
        """Statements, or one expression."""
        if self.random.random() < 0.5:
            return "{{ " + self.expression(3) + " }}"
        text = "{% set ns = namespace(v=0, w='q') %}" if self.random.random() < 0.7 else ""
        if self.random.random() < 0.5:
            text += "{% macro mac(x, y=1) %}[{{ x }}/{{ y }}{% if caller %}{{ caller() }}{% endif %}]{% endmacro %}"
        return text + self.statements(2, False)

    def atom(self):
        kinds = (self.name, self.name, self.name, lambda: self.pick(TEXTS), self.number, self.number,
                 lambda: self.pick(["true", "false", "none"]), self.collection)
        return self.pick(kinds)()

    def name(self):
        return self.pick(NAMES)

    def number(self):
        return self.pick(["0", "1", "2", "3", "-1", "10", "7", "1.5", "0.1", "2.0", "1e3"])

    def collection(self):
        inside = [self.atom() for _ in range(self.random.randint(0, 3))]
        if self.random.random() < 0.5:
            return "[" + ", ".join(inside) + "]"
        if self.random.random() < 0.5:
            return "{" + ", ".join(f"{self.pick(TEXTS)}: {value}" for value in inside) + "}"
        return "(" + "".join(f"{value}, " for value in inside) + ")"

    def slice(self):
        start, stop = (self.pick(["", "", str(self.random.randint(-4, 4))]) for _ in range(2))
        return f"{start}:{stop}" + self.pick(["", "", ":", ":-1", ":2", ":-2", ":1"])

    def expression(self, depth):
        if depth <= 0 or self.random.random() < 0.12:
            return self.atom()
        inside = lambda: self.expression(depth - 1)
        forms = (
            lambda: f"{inside()} {self.pick(ARITHMETIC)} {inside()}",
            lambda: f"{inside()} {self.pick(COMPARISONS)} {inside()}",
            lambda: f"({inside()} {self.pick(['and', 'or'])} {inside()})",
            lambda: f"not {inside()}",
            lambda: f"({inside()})|{self.pick(FILTERS)}",
            lambda: f"({inside()})|{self.pick(FILTERS)}",
            lambda: f"({inside()}) is {self.pick(TESTS)}",
            lambda: f"({inside()}).{self.pick(METHODS)}",
            lambda: f"({inside()}).{self.pick(ATTRIBUTES)}",
            lambda: f"({inside()})[{inside()}]",
            lambda: f"{self.name()}[{self.slice()}]",
            lambda: f"({inside()} if {inside()} else {inside()})",
            lambda: f"({inside()} if {inside()})",
            lambda: f"range({self.random.randint(-2, 6)}{self.pick(['', ', 5', ', 9, 2'])})",
            lambda: f"-({inside()})",
            lambda: f"mac({inside()})",
        )
        return self.pick(forms)()

    def space(self):
        return self.pick(["", "a", "\n", " ", "  \n ", "x\n", "\n\n", "  y  ", "{ }", "\t"])

    def tag(self, body):
        return "{%" + self.pick(["", "", "-", "+"]) + " " + body + " " + self.pick(["", "", "-", "+"]) + "%}"

    def statements(self, depth, in_loop):
        return "".join(self.statement(depth, in_loop) for _ in range(self.random.randint(1, 3)))

    def statement(self, depth, in_loop):
        if depth <= 0 or self.random.random() < 0.4:
            body = self.expression(self.random.randint(0, 2))
            return self.space() + "{{" + self.pick(["", "", "-"]) + " " + body + " " + self.pick(["", "", "-"]) + "}}" + self.space()
        kinds = [self.branch, self.branch, self.branch, self.loop, self.loop, self.loop, self.assignment, self.assignment, self.assignment,
                 self.block, self.macro, self.other]
        return self.space() + self.pick(kinds)(depth - 1, in_loop) + self.space()

    def branch(self, depth, in_loop):
        text = self.tag("if " + self.expression(2)) + self.statements(depth, in_loop)
        if self.random.random() < 0.4:
            text += self.tag("elif " + self.expression(1)) + self.statements(depth, in_loop)
        if self.random.random() < 0.5:
            text += self.tag("else") + self.statements(depth, in_loop)
        return text + self.tag("endif")

    def loop(self, depth, in_loop):
        head = self.pick(["for x in " + self.expression(1), "for m in messages", "for x, y in " + self.expression(1), "for x in l",
                          "for x in names"])
        if self.random.random() < 0.25:
            head += " if " + self.expression(1)
        text = self.tag(head) + self.statements(depth, True)
        if self.random.random() < 0.2:
            text += self.tag("else") + self.statements(depth, in_loop)
        return text + self.tag("endfor")

    def assignment(self, depth, in_loop):
        return self.tag(f"set {self.pick(['x', 'y', 's', 'ns.v', 'ns.w', 'x, y', 'm'])} = {self.expression(2)}")

    def block(self, depth, in_loop):
        head = "set " + self.pick(["x", "y", "ns.v"]) + self.pick(["", "|trim", "|upper"])
        return self.tag(head) + self.statements(depth, in_loop) + self.tag("endset")

    def macro(self, depth, in_loop):
        if self.random.random() < 0.5:
            return self.tag("macro mac(x" + self.pick(["", ", y=2", ", y"]) + ")") + self.statements(depth, False) + self.tag("endmacro")
        return self.tag("call mac(" + self.atom() + ")") + self.statements(depth, False) + self.tag("endcall")

    def other(self, depth, in_loop):
        kinds = [
            lambda: "{#" + self.pick(["", "-"]) + " c " + self.pick(["", "-"]) + "#}",
            lambda: self.tag("filter " + self.pick(["upper", "trim", "replace('a','b')"])) + self.statements(depth, in_loop) + self.tag("endfilter"),
            lambda: self.tag("with x = " + self.expression(1)) + self.statements(depth, in_loop) + self.tag("endwith"),
            lambda: self.tag("raw") + "{{ x }}" + self.tag("endraw"),
        ]
        if in_loop:
            kinds.append(lambda: self.tag("if " + self.expression(1)) + self.tag(self.pick(["break", "continue"])) + self.tag("endif"))
        return self.pick(kinds)()

"""Writes tests/unit/safetensors_corpus.json: small safetensors files, most of them malformed, each
with the verdict of the Python library (safetensors 0.8.0). Run it again after adding a case:

    python tests/support/make_safetensors_corpus.py tests/unit/safetensors_corpus.json
"""

import json
import struct
import sys
import tempfile

import safetensors

INFO = '"dtype":"F32","shape":[1],"data_offsets":[0,4]'
ONE = '{"a":{' + INFO + "}}"
FOUR = b"\x00\x00\x80\x3f"

# Accepted by the library although the format's text forbids it, or no writer makes it.
STRICTER = {
    "same tensor twice": "the format forbids keys that come twice",
    "same metadata key twice": "the format forbids keys that come twice",
    "unknown field twice": "the format forbids keys that come twice",
    "space before header": "the format wants { first",
    "newline before header": "the format wants { first",
    "tensor as a list": "no writer makes it",
    "dtype as an object": "no writer makes it",
}


def file(header, data=b"", length=None):
    header = header.encode() if isinstance(header, str) else header
    return struct.pack("<Q", len(header) if length is None else length) + header + data


def tensor(name="a", dtype="F32", shape="[1]", offsets="[0,4]", more=""):
    return f'"{name}":{{"dtype":"{dtype}","shape":{shape},"data_offsets":{offsets}{more}}}'


def tensors(*parts):
    return "{" + ",".join(parts) + "}"


def cases():
    # Length field and size of the file.
    yield "empty file", b""
    yield "seven bytes", b"\x02\0\0\0\0\0\0"
    yield "length only, zero", file("")
    yield "length only, two", file("", length=2)
    yield "no tensors", file("{}")
    yield "no tensors, a byte after", file("{}", b"x")
    yield "header longer than the file", file(ONE, length=1000)
    yield "header one byte longer than the file", file("{}", length=3)
    yield "header of 100,000,001 bytes", file(ONE, FOUR, length=100_000_001)
    yield "header of 2^63 bytes", file(ONE, FOUR, length=2**63)
    yield "header of 2^64 - 1 bytes", file(ONE, FOUR, length=2**64 - 1)
    yield "header length too small", file(ONE, FOUR, length=len(ONE) - 1)
    yield "header length eats data", file(ONE, FOUR, length=len(ONE) + 1)
    yield "good", file(ONE, FOUR)
    for cut in range(1, 5):
        yield f"data cut by {cut}", file(ONE, FOUR)[:-cut]
    yield "data one byte too long", file(ONE, FOUR + b"\0")
    # JSON.
    yield "padded with spaces", file(ONE + "   ", FOUR)
    yield "padded with other white space", file(ONE + " \n\t\r", FOUR)
    yield "padded with NUL", file(ONE + "\0", FOUR)
    yield "padded with a letter", file(ONE + "x", FOUR)
    yield "space before header", file(" " + ONE, FOUR)
    yield "newline before header", file("\n" + ONE, FOUR)
    yield "byte order mark", file(b"\xef\xbb\xbf" + ONE.encode(), FOUR)
    yield "header is a list", file("[]")
    yield "header is null", file("null")
    yield "header is a string", file('"a"')
    yield "header is a number", file("1")
    yield "header ends early", file(ONE[:-1], FOUR)
    yield "comma at the end", file(ONE[:-1] + ",}", FOUR)
    yield "comment", file("{/**/" + ONE[1:], FOUR)
    yield "single quotes", file(ONE.replace('"', "'"), FOUR)
    yield "two values", file(ONE + "{}", FOUR)
    yield "invalid UTF-8 in a name", file(b'{"\xff":{' + INFO.encode() + b"}}", FOUR)
    yield "overlong UTF-8 in a name", file(b'{"\xc0\x80":{' + INFO.encode() + b"}}", FOUR)
    yield "surrogate as UTF-8 in a name", file(b'{"\xed\xa0\x80":{' + INFO.encode() + b"}}", FOUR)
    yield "invalid UTF-8 outside strings", file(b"{\xff}")
    yield "control character in a name", file('{"a\nb":{' + INFO + "}}", FOUR)
    yield "escaped control character in a name", file('{"a\\nb":{' + INFO + "}}", FOUR)
    yield "escaped NUL in a name", file('{"a\\u0000":{' + INFO + "}}", FOUR)
    yield "lone surrogate escape", file('{"\\ud800":{' + INFO + "}}", FOUR)
    yield "surrogate pair escape", file('{"\\ud83d\\ude00":{' + INFO + "}}", FOUR)
    yield "bad escape", file('{"\\x41":{' + INFO + "}}", FOUR)
    yield "UTF-8 name", file('{"gewicht-ü-重":{' + INFO + "}}", FOUR)
    yield "empty name", file('{"":{' + INFO + "}}", FOUR)
    yield "field names escaped", file(ONE.replace("dtype", "\\u0064type"), FOUR)
    # Keys.
    yield "same tensor twice", file(tensors(tensor(), tensor()), FOUR)
    yield "same tensor twice, other offsets", file(
        tensors(tensor(), tensor(offsets="[4,8]")), FOUR * 2)
    yield "same field twice", file("{" + '"a":{"dtype":"F32",' + INFO + "}}", FOUR)
    yield "shape twice", file(tensors(tensor(more=',"shape":[1]')), FOUR)
    yield "offsets twice", file(tensors(tensor(more=',"data_offsets":[0,4]')), FOUR)
    yield "unknown field", file(tensors(tensor(more=',"x":{"y":[1,-2.5e3,null,true,"z"]}')), FOUR)
    yield "unknown field twice", file(tensors(tensor(more=',"x":1,"x":2')), FOUR)
    yield "unknown field NaN", file(tensors(tensor(more=',"x":NaN')), FOUR)
    yield "unknown field 1e999", file(tensors(tensor(more=',"x":1e999')), FOUR)
    yield "unknown field large integer", file(tensors(tensor(more=',"x":' + "9" * 30)), FOUR)
    for depth in (125, 126, 5000):
        more = ',"x":' + "[" * depth + "]" * depth
        yield f"unknown field {depth} deep", file(tensors(tensor(more=more)), FOUR)
    yield "dtype missing", file('{"a":{"shape":[1],"data_offsets":[0,4]}}', FOUR)
    yield "shape missing", file('{"a":{"dtype":"F32","data_offsets":[0,4]}}', FOUR)
    yield "offsets missing", file('{"a":{"dtype":"F32","shape":[1]}}', FOUR)
    yield "tensor without fields", file('{"a":{}}')
    yield "tensor is null", file('{"a":null}')
    yield "tensor is a number", file('{"a":1}')
    yield "tensor is a string", file('{"a":"F32"}')
    yield "tensor as a list", file('{"a":["F32",[1],[0,4]]}', FOUR)
    yield "tensor as a list of four", file('{"a":["F32",[1],[0,4],1]}', FOUR)
    yield "dtype as an object", file('{"a":{"dtype":{"F32":null},"shape":[1],"data_offsets":[0,4]}}', FOUR)
    # Types and shapes.
    yield "dtype unknown", file(tensors(tensor(dtype="F31")), FOUR)
    yield "dtype in lower case", file(tensors(tensor(dtype="f32")), FOUR)
    yield "dtype is a number", file(ONE.replace('"F32"', "7"), FOUR)
    yield "dtype is null", file(ONE.replace('"F32"', "null"), FOUR)
    for dtype, size in (("BOOL", 1), ("U8", 1), ("I8", 1), ("F8_E5M2", 1), ("F8_E4M3", 1),
                        ("F8_E8M0", 1), ("F8_E4M3FNUZ", 1), ("F8_E5M2FNUZ", 1), ("I16", 2),
                        ("U16", 2), ("F16", 2), ("BF16", 2), ("I32", 4), ("U32", 4), ("C64", 8),
                        ("F64", 8), ("I64", 8), ("U64", 8)):
        yield f"dtype {dtype}", file(tensors(tensor(dtype=dtype, offsets=f"[0,{size}]")), bytes(size))
    yield "two F4 in one byte", file(tensors(tensor(dtype="F4", shape="[2]", offsets="[0,1]")), b"x")
    yield "one F4", file(tensors(tensor(dtype="F4", offsets="[0,1]")), b"x")
    yield "four F6_E2M3", file(tensors(tensor(dtype="F6_E2M3", shape="[4]", offsets="[0,3]")), b"xyz")
    yield "three F6_E3M2", file(tensors(tensor(dtype="F6_E3M2", shape="[3]", offsets="[0,3]")), b"xyz")
    yield "scalar", file(tensors(tensor(shape="[]")), FOUR)
    yield "shape is a number", file(tensors(tensor(shape="1")), FOUR)
    yield "shape is an object", file(tensors(tensor(shape='{"0":1}')), FOUR)
    yield "shape is null", file(tensors(tensor(shape="null")), FOUR)
    yield "shape holds a fraction", file(tensors(tensor(shape="[1.0]")), FOUR)
    yield "shape holds a power", file(tensors(tensor(shape="[1e0]")), FOUR)
    yield "shape holds a negative", file(tensors(tensor(shape="[-1]")), FOUR)
    yield "shape holds a string", file(tensors(tensor(shape='["1"]')), FOUR)
    yield "shape holds a list", file(tensors(tensor(shape="[[1]]")), FOUR)
    yield "shape holds null", file(tensors(tensor(shape="[null]")), FOUR)
    yield "shape holds true", file(tensors(tensor(shape="[true]")), FOUR)
    yield "shape begins with zero digit", file(tensors(tensor(shape="[01]")), FOUR)
    yield "shape too large for the data", file(tensors(tensor(shape="[2]")), FOUR)
    yield "shape too small for the data", file(tensors(tensor(shape="[0]")), FOUR)
    yield "shape overflows", file(tensors(tensor(shape="[4294967296,4294967296]", offsets="[0,0]")))
    yield "shape overflows to its size", file(
        tensors(tensor(shape="[4611686018427387905]", offsets="[0,4]")), FOUR)
    yield "shape overflows before a zero", file(
        tensors(tensor(shape="[9223372036854775808,4,0]", offsets="[0,0]")))
    yield "shape zero before an overflow", file(
        tensors(tensor(shape="[0,9223372036854775808,4]", offsets="[0,0]")))
    yield "dimension of 2^64", file(tensors(tensor(shape="[18446744073709551616]")), FOUR)
    # Offsets.
    two = (tensor(), tensor("b", offsets="[4,8]"))
    yield "two tensors", file(tensors(*two), FOUR * 2)
    yield "two tensors, header in other order", file(tensors(*reversed(two)), FOUR * 2)
    yield "overlap", file(tensors(tensor(), tensor("b", offsets="[2,6]")), FOUR * 2)
    yield "same data for two", file(tensors(tensor(), tensor("b")), FOUR)
    yield "hole", file(tensors(tensor(), tensor("b", offsets="[8,12]")), FOUR * 3)
    yield "hole at the start", file(tensors(tensor(offsets="[4,8]")), FOUR * 2)
    yield "offsets turned round", file(tensors(tensor(offsets="[4,0]")), FOUR)
    yield "offsets negative", file(tensors(tensor(offsets="[-4,0]")), FOUR)
    yield "offset minus zero", file(tensors(tensor(offsets="[-0,4]")), FOUR)
    yield "offsets with fraction", file(tensors(tensor(offsets="[0,4.0]")), FOUR)
    yield "one offset", file(tensors(tensor(offsets="[0]")), FOUR)
    yield "three offsets", file(tensors(tensor(offsets="[0,4,8]")), FOUR)
    yield "no offsets", file(tensors(tensor(offsets="[]")), FOUR)
    yield "offsets are an object", file(tensors(tensor(offsets='{"begin":0}')), FOUR)
    yield "offsets past the end", file(tensors(tensor(shape="[2]", offsets="[0,8]")), FOUR)
    yield "offsets of 2^64 - 1", file(tensors(tensor(offsets="[0,18446744073709551615]")), FOUR)
    yield "empty tensor", file(tensors(tensor(shape="[0]", offsets="[0,0]")))
    yield "empty tensor first", file(
        tensors(tensor("z", shape="[0]", offsets="[0,0]"), tensor()), FOUR)
    yield "empty tensor last", file(tensors(tensor(), tensor("z", shape="[3,0]", offsets="[4,4]")), FOUR)
    yield "empty tensor in the middle of another", file(
        tensors(tensor(), tensor("z", shape="[0]", offsets="[2,2]")), FOUR)
    # Metadata.
    yield "metadata", file('{"__metadata__":{"format":"pt"},' + ONE[1:], FOUR)
    yield "metadata after the tensors", file(ONE[:-1] + ',"__metadata__":{"k":"v"}}', FOUR)
    yield "metadata null", file('{"__metadata__":null}')
    yield "metadata a list", file('{"__metadata__":[]}')
    yield "metadata a string", file('{"__metadata__":"x"}')
    yield "metadata a number inside", file('{"__metadata__":{"x":1}}')
    yield "metadata null inside", file('{"__metadata__":{"x":null}}')
    yield "metadata an object inside", file('{"__metadata__":{"x":{}}}')
    yield "metadata twice", file('{"__metadata__":{"x":"1"},"__metadata__":{}}')
    yield "same metadata key twice", file('{"__metadata__":{"x":"1","x":"2"}}')
    yield "metadata in the shape of a tensor", file('{"__metadata__":{' + INFO + "}}", FOUR)


def accepts(content):
    with tempfile.NamedTemporaryFile(suffix=".safetensors") as stored:
        stored.write(content)
        stored.flush()
        try:
            with safetensors.safe_open(stored.name, "numpy") as opened:
                opened.keys()
            return True
        except (safetensors.SafetensorError, OSError, ValueError):
            return False


def main():
    rows = []
    for name, content in cases():
        row = {"name": name, "hex": content.hex(), "python_accepts": accepts(content)}
        if name in STRICTER:
            assert row["python_accepts"], name
            row["stricter"] = STRICTER[name]
        rows.append(row)
    assert len({row["name"] for row in rows}) == len(rows)
    with open(sys.argv[1], "w", encoding="utf-8") as out:
        out.write('{"library": "safetensors %s", "files": [\n' % safetensors.__version__)
        out.write(",\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n]}\n")
    print(len(rows), "files,", sum(not row["python_accepts"] for row in rows), "refused")


if __name__ == "__main__":
    main()

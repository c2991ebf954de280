"""Verifies every DKIM-Signature field of the message on standard input with dkimpy.

Arguments: name and value of each DNS record in turn. Prints pass or fail for each field, first field first.
"""

import sys

import dkim

names, values = sys.argv[1::2], sys.argv[2::2]
records = {(name + ".").encode(): value.encode() for name, value in zip(names, values)}
message = sys.stdin.buffer.read()
verifier = dkim.DKIM(message)
count = sum(1 for name, _ in verifier.headers if name.lower() == b"dkim-signature")


def verdict(index):
    try:
        good = dkim.DKIM(message).verify(idx=index, dnsfunc=lambda name, timeout=5: records.get(name))
    except dkim.DKIMException as error:
        print(error, file=sys.stderr)
        good = False
    return "pass" if good else "fail"


print(" ".join(verdict(index) for index in range(count)))

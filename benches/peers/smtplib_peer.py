"""Python's smtplib sends the newsletter: python3 smtplib_peer.py FOLDER_WITH_DKIMPY ORDERS.json

One connection, as the library's own examples have it. Prints {"n": messages, "seconds": wall time, "version": ...}.
"""

import json
import platform
import re
import smtplib
import sys
import time
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formataddr, formatdate, make_msgid, parseaddr

sys.path.insert(0, sys.argv[1])
with open(sys.argv[2], encoding="utf-8") as file:
    orders = json.load(file)

key = None
if orders["key_file"]:
    import dkim

    with open(orders["key_file"], "rb") as file:
        key = file.read()

SIGNED = [b"from", b"to", b"subject", b"date", b"message-id", b"mime-version", b"content-type",
          b"list-unsubscribe", b"list-unsubscribe-post"]


def fill(template, person):
    return re.sub(r"\{\{(\w+)\}\}", lambda found: person[found.group(1)], template)


def compose(person):
    message = EmailMessage(policy=SMTP)
    message["From"] = orders["from"]
    message["To"] = formataddr((person["name"], person["address"]))
    message["Subject"] = fill(orders["subject"], person)
    message["Date"] = formatdate()
    message["Message-ID"] = make_msgid(domain=orders["domain"])
    message["List-Unsubscribe"] = f"<{person['unsubscribe_url']}>"
    message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    message.set_content(fill(orders["text"], person), cte="quoted-printable")
    message.add_alternative(fill(orders["html"], person), subtype="html", cte="quoted-printable")
    data = message.as_bytes()
    if key:
        data = dkim.sign(data, orders["selector"].encode(), orders["domain"].encode(), key,
                         canonicalize=(b"relaxed", b"relaxed"), include_headers=SIGNED) + data
    return data


sender = parseaddr(orders["from"])[1]
began = time.monotonic()
with smtplib.SMTP(orders["host"], orders["port"], local_hostname="bench.example") as relay:
    for i in range(orders["n"]):
        person = orders["people"][i % len(orders["people"])]
        relay.sendmail(sender, [person["address"]], compose(person))
seconds = time.monotonic() - began
print(json.dumps({"n": orders["n"], "seconds": seconds, "version": platform.python_version()}))

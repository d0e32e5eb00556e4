"""An aiosmtpd handler whose answers follow from the recipient's name. Run it as

  PYTHONPATH=testing/fakes/smtp python -m aiosmtpd -n -l 127.0.0.1:PORT -c scripted.Handler DIRECTORY

Every message that arrived whole is a file in DIRECTORY: <count>-<recipient>-<outcome>.eml, and what people read of it (subject
and texts, decoded) in a .txt beside it.

  later@    450 the first time, then accepted
  nobody@   550 5.1.1 unknown user
  policy@   550 5.7.1 refused by policy
  drop@     the connection is cut after the final dot, the first time
  large@    552 after the data
  others    accepted
"""

import email
import email.policy
import os


class Handler:
    def __init__(self, directory):
        self.directory = directory
        self.count = 0
        self.seen = set()

    @classmethod
    def from_cli(cls, parser, *args):
        if len(args) != 1:
            parser.error("scripted.Handler takes one argument: the directory for messages")
        return cls(args[0])

    def first_time(self, what):
        first = what not in self.seen
        self.seen.add(what)
        return first

    async def handle_RCPT(self, server, session, envelope, address, rcpt_options):
        name = address.split("@")[0]
        if name == "nobody":
            return "550 5.1.1 User unknown"
        if name == "policy":
            return "550 5.7.1 Refused by policy"
        if name == "later" and self.first_time(("rcpt", address)):
            return "450 4.7.1 Greylisted, come back later"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server, session, envelope):
        address = envelope.rcpt_tos[0]
        name = address.split("@")[0]
        if name == "large":
            return "552 5.3.4 Message too big"
        if name == "drop" and self.first_time(("data", address)):
            self.store(envelope, address, "dropped")
            server.transport.abort()
            return "421 nobody hears this"
        self.store(envelope, address, "accepted")
        return "250 2.0.0 Queued as %d" % self.count

    def store(self, envelope, address, outcome):
        self.count += 1
        path = os.path.join(self.directory, "%03d-%s-%s.eml" % (self.count, address, outcome))
        write_whole(path[:-len(".eml")] + ".txt", read_by_people(envelope.original_content).encode())
        write_whole(path, envelope.original_content)


def read_by_people(content):
    message = email.message_from_bytes(content, policy=email.policy.default)
    texts = [part.get_content() for part in message.walk() if part.get_content_maintype() == "text"]
    return "\n".join([str(message["Subject"]), *texts])


def write_whole(path, content):
    # Whole or not at all: a reader never sees half a file.
    with open(path + ".part", "wb") as file:
        file.write(content)
    os.rename(path + ".part", path)

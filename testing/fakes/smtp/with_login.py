"""aiosmtpd with the scripted answers, that takes nothing without a login, and no login without TLS. Run it as

  PYTHONPATH=testing/fakes/smtp python with_login.py PORT starttls|implicit CERT KEY USER PASSWORD DIRECTORY

Each login that is tried is a line in DIRECTORY/logins. When DIRECTORY/at-refusal is there (a path, a line feed, a text), the
text is written to that path before the next password is refused: somebody changes the password meanwhile.
"""

import asyncio
import os
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword
from scripted import Handler


def main(port, how, cert, key, user, password, directory):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(cert, key)
    handler = Handler(directory)

    def authenticate(server, session, envelope, mechanism, data):
        right = isinstance(data, LoginPassword) and (data.login.decode(), data.password.decode()) == (user, password)
        with open(os.path.join(directory, "logins"), "a") as file:
            file.write("%s\n" % ("taken" if right else "refused"))
        if not right:
            write_at_refusal(os.path.join(directory, "at-refusal"))
        return AuthResult(success=right, handled=right)

    def server():
        return SMTP(handler, authenticator=authenticate, auth_required=True,
                    tls_context=context if how == "starttls" else None, require_starttls=how == "starttls",
                    auth_require_tls=how == "starttls")

    async def serve():
        tls = context if how == "implicit" else None
        listening = await asyncio.get_running_loop().create_server(server, "127.0.0.1", int(port), ssl=tls)
        await listening.serve_forever()

    asyncio.run(serve())


def write_at_refusal(order):
    if os.path.exists(order):
        with open(order) as file:
            path, text = file.read().split("\n", 1)
        os.remove(order)
        with open(path, "w") as file:
            file.write(text)


if __name__ == "__main__":
    main(*sys.argv[1:])

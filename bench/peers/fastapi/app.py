# A gateway in FastAPI: PyJWT verifies each request's token, and Redis is asked whether it was revoked. Run by uvicorn
# with uvloop and httptools, one worker; the client for Redis uses hiredis.
import os

import jwt
import redis.asyncio
from fastapi import FastAPI, Request, Response

with open(os.environ["PUBLIC_KEY"], encoding="ascii") as file:
    # Parsed once, not for each request.
    KEY = jwt.algorithms.RSAAlgorithm(jwt.algorithms.RSAAlgorithm.SHA256).prepare_key(file.read())

revocations = redis.asyncio.Redis(unix_socket_path=os.environ["REDIS_SOCKET"])
app = FastAPI(openapi_url=None)


@app.get("/")
async def authorize(request: Request) -> Response:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme != "Bearer":
        return Response(status_code=401)
    try:
        # Whom the token is for is not looked at, as with the others.
        claims = jwt.decode(
            token, KEY, algorithms=["RS256"], options={"verify_aud": False, "require": ["exp", "jti"]}
        )
    except jwt.InvalidTokenError:
        return Response(status_code=401)
    if await revocations.exists("revoked:" + claims["jti"]):
        return Response(status_code=401)
    return Response(status_code=204)

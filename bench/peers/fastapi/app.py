"""The session design of many FastAPI guides, written the ordinary way: the JWT is stored with its
session, and each check decodes it, selects the user, selects the session and notes the activity.

DATABASE_URL (SQLAlchemy's, asynchronous) comes from the environment; served by uvicorn.
"""

import os
import uuid
from contextlib import asynccontextmanager
from datetime import datetime, timedelta, timezone
from typing import Annotated

import jwt
from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel
from sqlalchemy import ForeignKey, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

SECRET_KEY = "a secret for measurements only, long enough"
ALGORITHM = "HS256"
ACCESS_TOKEN_EXPIRE_MINUTES = 30

engine = create_async_engine(os.environ["DATABASE_URL"])
session_factory = async_sessionmaker(engine, expire_on_commit=False)


def now() -> datetime:
    return datetime.now(timezone.utc).replace(tzinfo=None)


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "users"

    id: Mapped[int] = mapped_column(primary_key=True)
    username: Mapped[str]
    email: Mapped[str] = mapped_column(unique=True)


class UserSession(Base):
    __tablename__ = "user_sessions"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    session_token: Mapped[str] = mapped_column(unique=True, index=True)
    device_info: Mapped[str | None]
    ip_address: Mapped[str | None]
    user_agent: Mapped[str | None]
    is_active: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime] = mapped_column(default=now)
    last_activity: Mapped[datetime] = mapped_column(default=now)
    expires_at: Mapped[datetime]


class SessionLog(Base):
    __tablename__ = "session_logs"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    action: Mapped[str]
    session_token: Mapped[str | None]
    ip_address: Mapped[str | None]
    user_agent: Mapped[str | None]
    success: Mapped[bool] = mapped_column(default=True)
    error_message: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(default=now)


class Status(BaseModel):
    is_active: bool
    user_id: int
    username: str
    email: str
    session_created: datetime
    last_activity: datetime
    expires_at: datetime
    device_info: str | None
    ip_address: str | None


@asynccontextmanager
async def lifespan(_app: FastAPI):
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    async with session_factory() as db:
        db.add(User(username="Ada Lovelace", email="ada@example.com"))
        await db.commit()
    yield
    await engine.dispose()


async def get_db():
    async with session_factory() as db:
        yield db


Db = Annotated[AsyncSession, Depends(get_db)]
Bearer = Annotated[HTTPAuthorizationCredentials, Depends(HTTPBearer())]


async def current_user(bearer: Bearer, db: Db) -> User:
    try:
        claims = jwt.decode(bearer.credentials, SECRET_KEY, algorithms=[ALGORITHM])
    except jwt.InvalidTokenError as error:
        raise HTTPException(401, "Could not validate credentials") from error
    user = await db.scalar(select(User).where(User.id == int(claims["sub"])))
    if user is None:
        raise HTTPException(401, "Could not validate credentials")
    return user


app = FastAPI(lifespan=lifespan)


@app.get("/ready")
async def ready() -> str:
    return "ok"


@app.post("/sign-in", status_code=201)
async def sign_in(request: Request, db: Db) -> dict[str, str]:
    user = await db.scalar(select(User).where(User.email == "ada@example.com"))
    expires = now() + timedelta(minutes=ACCESS_TOKEN_EXPIRE_MINUTES)
    claims = {"sub": str(user.id), "exp": expires.replace(tzinfo=timezone.utc), "jti": uuid.uuid4().hex}
    token = jwt.encode(claims, SECRET_KEY, algorithm=ALGORITHM)
    client = {"ip_address": request.client.host, "user_agent": request.headers.get("user-agent")}
    db.add(UserSession(user_id=user.id, session_token=token, expires_at=expires, **client))
    db.add(SessionLog(user_id=user.id, action="login", session_token=token, **client))
    await db.commit()
    return {"access_token": token, "token_type": "bearer"}


@app.get("/status")
async def status(user: Annotated[User, Depends(current_user)], bearer: Bearer, db: Db) -> Status:
    found = await db.scalar(
        select(UserSession).where(
            UserSession.session_token == bearer.credentials, UserSession.is_active.is_(True)
        )
    )
    if found is None or found.expires_at < now():
        raise HTTPException(401, "Session is not active")
    found.last_activity = now()
    await db.commit()
    return Status(
        is_active=True,
        user_id=user.id,
        username=user.username,
        email=user.email,
        session_created=found.created_at,
        last_activity=found.last_activity,
        expires_at=found.expires_at,
        device_info=found.device_info,
        ip_address=found.ip_address,
    )

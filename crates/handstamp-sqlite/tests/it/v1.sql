-- A database of schema 1, as the version wrote that knew no other: two sessions of alice, one of
-- them ended, a visitor with a cart, and a failed sign-in of bob. Its key ring and the cookie of the
-- session that lives are in upgrade.rs.
PRAGMA application_id = 1212239428;
PRAGMA user_version = 1;
CREATE TABLE meta (
    name TEXT NOT NULL PRIMARY KEY,
    value ANY NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE sessions (
    id BLOB NOT NULL UNIQUE,
    version INTEGER NOT NULL,
    change_id BLOB NOT NULL,
    subject TEXT,
    epoch INTEGER NOT NULL,
    deployment_epoch INTEGER NOT NULL,
    kind TEXT NOT NULL,
    transport TEXT NOT NULL,
    roles TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    authenticated_at INTEGER NOT NULL,
    last_seen INTEGER NOT NULL,
    absolute_expiry INTEGER NOT NULL,
    idle_ms INTEGER,
    due_at INTEGER NOT NULL,
    ip TEXT,
    user_agent TEXT,
    device TEXT,
    country TEXT,
    location TEXT,
    label TEXT,
    is_remembered INTEGER NOT NULL,
    ended_at INTEGER,
    ended_reason TEXT,
    body TEXT NOT NULL,
    data TEXT
) STRICT;
CREATE INDEX sessions_by_subject ON sessions (subject, created_at, id) WHERE subject IS NOT NULL;
CREATE INDEX sessions_by_age ON sessions (created_at, id);
CREATE INDEX sessions_due ON sessions (due_at, id) WHERE ended_at IS NULL;
CREATE INDEX sessions_ended ON sessions (ended_at) WHERE ended_at IS NOT NULL;

CREATE TABLE heads (
    subject TEXT NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    is_disabled INTEGER NOT NULL,
    roles TEXT,
    live INTEGER NOT NULL,
    -- The epoch of the deployment that `live` counts in; 0 are live in any other.
    live_in INTEGER NOT NULL,
    moved TEXT
) STRICT, WITHOUT ROWID;

CREATE TABLE events (
    place INTEGER PRIMARY KEY,
    writer INTEGER NOT NULL,
    number INTEGER NOT NULL,
    id BLOB NOT NULL,
    at INTEGER NOT NULL,
    action TEXT NOT NULL,
    subject TEXT,
    session BLOB,
    actor TEXT,
    is_success INTEGER NOT NULL,
    error TEXT,
    details TEXT NOT NULL,
    personal TEXT,
    salt BLOB NOT NULL,
    personal_hash BLOB NOT NULL
) STRICT;
CREATE INDEX events_by_subject ON events (subject) WHERE subject IS NOT NULL;
CREATE INDEX events_by_session ON events (session) WHERE session IS NOT NULL;

CREATE TABLE batches (
    writer INTEGER NOT NULL,
    number INTEGER NOT NULL,
    key_id INTEGER NOT NULL,
    link BLOB NOT NULL,
    first_place INTEGER NOT NULL,
    events INTEGER NOT NULL,
    last_event INTEGER NOT NULL,
    PRIMARY KEY (writer, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE changes (
    number INTEGER PRIMARY KEY,
    changes TEXT NOT NULL
) STRICT;

CREATE TABLE bindings (
    session BLOB NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL,
    body BLOB NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO meta VALUES ('deployment', '{"epoch":0}');
INSERT INTO meta VALUES ('partition_key', X'1D1C03861FDBB2E3E073B6FF249CA6AF72A48EC49F8CA7523F3CAE99408A0114');
INSERT INTO meta VALUES ('writer', 1);
INSERT INTO sessions VALUES (X'1C257CD736D0DD9018AEB8C10777B53558F1', 1, X'21921DA06CDD01450000000000000000', 'alice', 0, 0, 'user', 'cookie', '', 1750000000000, 1750000000000, 1750000000000, 1750086400000, 3600000, 1750003600000, '192.0.2.1', 'Agent/1.0', 'Phone', NULL, NULL, NULL, 0, NULL, NULL, '{"v":1,"lineage":{"salt":"drd-FabguktG6uT9FzKArA","generation":1,"key_id":1,"previous_key_id":1,"rotated_at":1750000000000,"is_seen":true,"seen_at":1750000000000,"privilege_generation":1,"privilege_at":1750000000000,"retries":0},"assurance":"aal1","profile":{"name":"Alice"},"csrf":"2JtgHbSlnvU3Ba8-nQNzkg"}', NULL);
INSERT INTO sessions VALUES (X'1C8A45A5DBE350F75E3DD462A33C6B587EFF', 2, X'BC286148268290BC0000000000000000', 'alice', 0, 0, 'user', 'cookie', '', 1750000000000, 1750000000000, 1750000000000, 1750086400000, 3600000, 1750003600000, '192.0.2.1', 'Agent/1.0', 'Laptop', NULL, NULL, NULL, 0, 1750000060000, 'logout', '{"v":1,"lineage":{"salt":"u3z2JPgjtSLt0hwfC-vJJg","generation":1,"key_id":1,"previous_key_id":1,"rotated_at":1750000000000,"is_seen":true,"seen_at":1750000000000,"privilege_generation":1,"privilege_at":1750000000000,"retries":0},"assurance":"aal1","profile":{"name":"Alice"},"csrf":"AAAAAAAAAAAAAAAAAAAAAA","ended":{"at":1750000060000,"reason":"logout"}}', NULL);
INSERT INTO sessions VALUES (X'8D63D3F271F0E8268FCB10DC4951FAFA4EA0', 1, X'170174BC73F7466C0000000000000000', NULL, 0, 0, 'anonymous', 'cookie', '', 1750000000000, 1750000000000, 1750000000000, 1750086400000, 3600000, 1750003600000, NULL, NULL, NULL, NULL, NULL, NULL, 0, NULL, NULL, '{"v":1,"lineage":{"salt":"78EzPuL-5ANOz4buHeSfcA","generation":1,"key_id":1,"previous_key_id":1,"rotated_at":1750000000000,"is_seen":true,"seen_at":1750000000000,"privilege_generation":1,"privilege_at":1750000000000,"retries":0},"assurance":"aal1","profile":{},"csrf":"MFqXU_M25SBD6sz2nR2Htg"}', '{"cart":"[1,2]"}');
INSERT INTO heads VALUES ('alice', 0, 0, 0, NULL, 1, 0, NULL);
INSERT INTO events VALUES (1, 1, 1, X'471F51AD8612B15A8264C042D849FE11', 1750000000000, 'session.started', 'alice', X'1C257CD736D0DD9018AEB8C10777B53558F1', 'alice', 1, NULL, '{"kind":"user","transport":"cookie"}', '{"ip":"192.0.2.1","user_agent":"Agent/1.0","device":"Phone"}', X'E38B3E137A8989EE7BDB232417893B50', X'6609AB16ACCFD28BFDA0FF56409DCA642ED747AAA5AC1E79E2749571AAC89706');
INSERT INTO events VALUES (2, 1, 2, X'6F477A8B8524A6D766BEF1ECB7AAF999', 1750000000000, 'session.started', 'alice', X'1C8A45A5DBE350F75E3DD462A33C6B587EFF', 'alice', 1, NULL, '{"kind":"user","transport":"cookie"}', '{"ip":"192.0.2.1","user_agent":"Agent/1.0","device":"Laptop"}', X'4B83E667AD91E1D5CC6185B41F78A6F8', X'21FEFC39FE4E15135188728EB1C59B4C13E11070C5162DB67724600C34E54630');
INSERT INTO events VALUES (3, 1, 3, X'1D5EF937AE2D5E78C92A2DA9BCB0472C', 1750000000000, 'session.started', NULL, X'8D63D3F271F0E8268FCB10DC4951FAFA4EA0', NULL, 1, NULL, '{"kind":"anonymous","transport":"cookie"}', '{}', X'302E7A2DD4DA985480493A5DB1A65B7F', X'657AE2EE55A7D37DFD430E0012122CE14CBD3FAD0EA6D822447FB148B110B84B');
INSERT INTO events VALUES (4, 1, 4, X'11A4322857CD82C3B00131EAF2CE52F4', 1750000060000, 'session.ended', 'alice', X'1C8A45A5DBE350F75E3DD462A33C6B587EFF', NULL, 1, NULL, '{"reason":"logout"}', '{"ip":"192.0.2.1","user_agent":"Agent/1.0","device":"Laptop"}', X'D74DD410ABF05689EE65F502C0022F31', X'EBF4A5E28BF04C3670737506236BCAA143A991C0B3EB679BC9C3848620378532');
INSERT INTO events VALUES (5, 1, 5, X'1F69C63FA533BBD83A5A39CE6A6A90A3', 1750000060000, 'sign_in.failed', 'bob', NULL, NULL, 0, 'wrong_password', '{}', '{"ip":"203.0.113.7","user_agent":"Agent/1.0","device":"Bot","identifier":"1.AOg9wK2KR1wk6Hve-7O8Dg"}', X'17FB4F0E2AD0F76AF4C699AB02997168', X'2B79506C46E67C96D524EFE6E3E7D69E2D638440C534B08DB956D95AF00BF1CA');
INSERT INTO batches VALUES (1, 1, 1, X'7C002AC062F20D0C2B5BC130F48B8F87C24660512DD871E0FE8F570871CB193E', 1, 1, 1);
INSERT INTO batches VALUES (1, 2, 1, X'1935261546C7207F9F95EC9751EE7A7ED1F8E8969A9BF20314D6DE5C4CE95DB6', 2, 1, 2);
INSERT INTO batches VALUES (1, 3, 1, X'42EA718D7F26E30BA019182CAEDE4C8FDAB71A8EF769E9B0D1EA8FE115ECA0E3', 3, 1, 3);
INSERT INTO batches VALUES (1, 4, 1, X'F044DB06ECE91EE831F06A0A4E3265332B177E1C39E7490B1FD723D72B35281E', 4, 1, 4);
INSERT INTO batches VALUES (1, 5, 1, X'B119D60BDEEE788A38868CFD129CACFB966C79F6288A6BC1F4A3DA8C0CF280EB', 5, 1, 5);
INSERT INTO changes VALUES (1, '[{"s":["HCV81zbQ3ZAYrrjBB3e1NVjx",1,1,false]}]');
INSERT INTO changes VALUES (2, '[{"s":["HIpFpdvjUPdePdRiozxrWH7_",1,1,false]}]');
INSERT INTO changes VALUES (3, '[{"s":["jWPT8nHw6CaPyxDcSVH6-k6g",1,1,false]}]');
INSERT INTO changes VALUES (4, '[{"s":["HIpFpdvjUPdePdRiozxrWH7_",2,1,true]}]');

-- When all events up to a batch had happened: what goes by age goes by it, in steps of batches.
ALTER TABLE batches ADD COLUMN until_at INTEGER NOT NULL DEFAULT 0;
UPDATE batches SET until_at = told.until_at
FROM (
    SELECT writer, number, max(latest) OVER (PARTITION BY writer ORDER BY number) AS until_at
    FROM (
        SELECT batches.writer, batches.number, max(at) AS latest
        FROM batches
        JOIN events ON place >= first_place AND place < first_place + batches.events
        GROUP BY batches.writer, batches.number
    )
) AS told
WHERE told.writer = batches.writer AND told.number = batches.number;

-- Where a chain was cut: its last batch that is gone, signed.
CREATE TABLE cuts (
    writer INTEGER PRIMARY KEY,
    batch INTEGER NOT NULL,
    event INTEGER NOT NULL,
    link BLOB NOT NULL,
    key_id INTEGER NOT NULL,
    signature BLOB NOT NULL,
    place INTEGER NOT NULL,
    until_at INTEGER NOT NULL
) STRICT;

-- Up to which batch all personal parts are gone.
CREATE TABLE erased (
    writer INTEGER PRIMARY KEY,
    batch INTEGER NOT NULL
) STRICT;
CREATE INDEX events_subject_erased ON events (action) WHERE action = 'subject.erased';
CREATE INDEX events_personal_expired ON events (action) WHERE action = 'personal.expired';

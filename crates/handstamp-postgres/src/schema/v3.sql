-- What the database is there for, where it is not to be served from: what the mark among the documents
-- of the ledger says, in the row that whoever loads a session reads anyway. Both are written together.
ALTER TABLE handstamp.deployment ADD COLUMN standing TEXT;
UPDATE handstamp.deployment SET standing =
    (SELECT body FROM handstamp.ledger WHERE shelf = 'store' AND key = 'standing');

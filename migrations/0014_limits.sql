-- +goose Up

-- How many objects of each of the directory's collections an environment has: counting millions of rows at every write would not do.
-- Written behind the lock of directory_counters alone.
CREATE TABLE directory_counts (
    environment text COLLATE "C" NOT NULL REFERENCES environments (id),
    collection  text COLLATE "C" NOT NULL,
    objects     bigint           NOT NULL,
    PRIMARY KEY (environment, collection)
);
INSERT INTO directory_counts SELECT environment, 'consumers', count(*) FROM consumers GROUP BY environment;
INSERT INTO directory_counts SELECT environment, 'api-keys', count(*) FROM api_keys GROUP BY environment;
INSERT INTO directory_counts SELECT environment, 'secrets', count(*) FROM secrets GROUP BY environment;
INSERT INTO directory_counts SELECT environment, 'blocks', count(*) FROM blocks GROUP BY environment;

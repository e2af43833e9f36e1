-- +goose Up

-- What inspections found in the requests of the last days: one row for each rule of a policy and each request. Its partitions are
-- those of usage_events. All of a request's findings are in its decision; these are counted.
CREATE SEQUENCE usage_findings_number;
CREATE TABLE usage_findings (
    environment text COLLATE "C" NOT NULL,
    time_ms     bigint           NOT NULL, -- of the request, since 1970
    number      bigint           NOT NULL DEFAULT nextval('usage_findings_number'),
    request_id  text COLLATE "C" NOT NULL,
    policy      uuid             NOT NULL,
    rule        text COLLATE "C" NOT NULL,
    message     text             NOT NULL,
    target      text COLLATE "C" NOT NULL,
    route       uuid             NOT NULL, -- zero: none matched
    consumer    uuid             NOT NULL, -- zero: none known
    client      inet,                      -- NULL: not known
    outcome     smallint         NOT NULL CHECK (outcome BETWEEN 0 AND 2), -- what the policy did: let pass, refused, would have refused
    excluded    boolean          NOT NULL, -- an exclusion in shadow would have kept the rule from it
    first       boolean          NOT NULL, -- the first row of its request
    rules       smallint         NOT NULL, -- rows of its request
    succeeded   boolean          NOT NULL, -- the request was let pass, and answered 2xx or 3xx
    PRIMARY KEY (environment, time_ms, number)
) PARTITION BY RANGE (time_ms);

-- Makes a partition, when it isn't there: as before, save that findings are never updated either.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION add_usage_partition(parent text, partition text, from_value bigint, to_value bigint) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    IF to_regclass(quote_ident(partition)) IS NOT NULL THEN
        RETURN;
    END IF;
    EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL) WITH (fillfactor = %s)', partition, parent,
                   CASE WHEN parent IN ('usage_events', 'usage_findings') THEN 100 ELSE 70 END);
    EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%s) TO (%s)', parent, partition, from_value, to_value);
END
$$;
-- +goose StatementEnd

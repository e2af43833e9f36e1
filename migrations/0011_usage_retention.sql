-- +goose Up

-- What a boot's batches reach back to, and which of its requests are counted but not listed. NULL: no
-- batch yet. Of boots from before this step it isn't known: 0 lets them matter to every time asked for.
ALTER TABLE usage_receipts
    ADD COLUMN first_minute   bigint,
    ADD COLUMN events_dropped bigint NOT NULL DEFAULT 0;
UPDATE usage_receipts SET first_minute = 0;
CREATE INDEX usage_receipts_environment ON usage_receipts (environment, latest_at);

-- Makes a partition, when it isn't there. It is attached, not created in place: that doesn't lock out
-- those who read and count. Sums are updated again and again, and events never: pages leave room for that.
-- +goose StatementBegin
CREATE FUNCTION add_usage_partition(parent text, partition text, from_value bigint, to_value bigint) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    IF to_regclass(quote_ident(partition)) IS NOT NULL THEN
        RETURN;
    END IF;
    EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL) WITH (fillfactor = %s)', partition, parent,
                   CASE parent WHEN 'usage_events' THEN 100 ELSE 70 END);
    EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%s) TO (%s)', parent, partition, from_value, to_value);
END
$$;
-- +goose StatementEnd

ALTER TABLE usage_minutes RENAME TO usage_minutes_before;
ALTER INDEX usage_minutes_pkey RENAME TO usage_minutes_before_pkey;

-- Requests per minute, of the last two days. Rows add up. A partition's name ends in the hour (UTC) that
-- it begins with.
CREATE TABLE usage_minutes (
    environment    text COLLATE "C" NOT NULL,
    minute         bigint           NOT NULL, -- since 1970
    route          uuid             NOT NULL, -- zero: none matched
    consumer       uuid             NOT NULL, -- zero: none known
    status_class   smallint         NOT NULL CHECK (status_class BETWEEN 1 AND 5),
    verdict        text COLLATE "C" NOT NULL,
    requests       bigint           NOT NULL,
    request_bytes  bigint           NOT NULL,
    response_bytes bigint           NOT NULL,
    duration_us    bigint           NOT NULL,
    PRIMARY KEY (environment, minute, route, consumer, status_class, verdict)
) PARTITION BY RANGE (minute);

-- Requests per hour: the same requests again, kept for longer.
CREATE TABLE usage_hours (
    environment    text COLLATE "C" NOT NULL,
    hour           bigint           NOT NULL, -- since 1970
    route          uuid             NOT NULL, -- zero: none matched
    consumer       uuid             NOT NULL, -- zero: none known
    status_class   smallint         NOT NULL CHECK (status_class BETWEEN 1 AND 5),
    verdict        text COLLATE "C" NOT NULL,
    requests       bigint           NOT NULL,
    request_bytes  bigint           NOT NULL,
    response_bytes bigint           NOT NULL,
    duration_us    bigint           NOT NULL,
    PRIMARY KEY (environment, hour, route, consumer, status_class, verdict)
) PARTITION BY RANGE (hour);

-- Requests per hour that each credential proved.
CREATE TABLE usage_credentials (
    environment text COLLATE "C" NOT NULL,
    hour        bigint           NOT NULL, -- since 1970
    credential  uuid             NOT NULL,
    consumer    uuid             NOT NULL, -- that it proved; zero: none known
    requests    bigint           NOT NULL,
    PRIMARY KEY (environment, hour, credential)
) PARTITION BY RANGE (hour);

-- When each credential was last used, and how often in all; of deleted ones too.
CREATE TABLE credential_last_use (
    environment  text COLLATE "C" NOT NULL,
    credential   uuid             NOT NULL,
    last_used_at timestamptz      NOT NULL,
    requests     bigint           NOT NULL,
    PRIMARY KEY (environment, credential)
) WITH (fillfactor = 70);

-- Single requests of the last days: rejected ones, and some of the others.
CREATE SEQUENCE usage_events_number;
CREATE TABLE usage_events (
    environment    text COLLATE "C" NOT NULL,
    time_ms        bigint           NOT NULL, -- since 1970
    number         bigint           NOT NULL DEFAULT nextval('usage_events_number'), -- tells those of one millisecond apart
    request_id     text COLLATE "C" NOT NULL,
    node           text COLLATE "C" NOT NULL,
    method         text             NOT NULL,
    host           text             NOT NULL,
    path           text             NOT NULL,
    client         inet,                      -- NULL: not known
    route          uuid             NOT NULL, -- zero: none matched
    consumer       uuid             NOT NULL, -- zero: none known
    credential     uuid             NOT NULL, -- zero: none known
    policy         uuid             NOT NULL, -- that rejected it; zero: none did
    status         smallint         NOT NULL,
    verdict        text COLLATE "C" NOT NULL,
    revision       bigint           NOT NULL,
    duration_us    bigint           NOT NULL,
    upstream_us    bigint           NOT NULL,
    request_bytes  bigint           NOT NULL,
    response_bytes bigint           NOT NULL,
    PRIMARY KEY (environment, time_ms, number)
) PARTITION BY RANGE (time_ms);
CREATE INDEX usage_events_request ON usage_events (environment, request_id);

-- Names of consumers and API keys that are gone; those of routes and policies are in revision_changes.
CREATE TABLE usage_names (
    environment text COLLATE "C" NOT NULL,
    id          text COLLATE "C" NOT NULL,
    name        text COLLATE "C" NOT NULL,
    deleted_at  timestamptz      NOT NULL,
    PRIMARY KEY (environment, id)
);
CREATE INDEX usage_names_deleted ON usage_names (deleted_at);

-- When partitions were last seen to, by the database's clock, and until when none is dropped because
-- that clock had jumped.
CREATE TABLE usage_upkeep (
    one        boolean PRIMARY KEY DEFAULT true CHECK (one),
    passed_at  timestamptz NOT NULL,
    held_until timestamptz NOT NULL
);

-- What was counted until now. The times of partitions are those of the control plane's upkeep.
-- +goose StatementBegin
DO $$
DECLARE
    start bigint;
    month timestamp;
BEGIN
    FOR start IN SELECT DISTINCT minute - minute % 360 FROM usage_minutes_before LOOP
        PERFORM add_usage_partition('usage_minutes',
            'usage_minutes_' || to_char(to_timestamp(start * 60) AT TIME ZONE 'UTC', 'YYYYMMDDHH24'), start, start + 360);
    END LOOP;
    FOR month IN SELECT DISTINCT date_trunc('month', to_timestamp(minute * 60) AT TIME ZONE 'UTC') FROM usage_minutes_before LOOP
        PERFORM add_usage_partition('usage_hours', 'usage_hours_' || to_char(month, 'YYYYMMDDHH24'),
            (extract(epoch FROM month) / 3600)::bigint, (extract(epoch FROM month + interval '1 month') / 3600)::bigint);
    END LOOP;
END
$$;
-- +goose StatementEnd
INSERT INTO usage_minutes (environment, minute, route, consumer, status_class, verdict, requests, request_bytes, response_bytes, duration_us)
SELECT environment, minute, route, consumer, status_class, verdict, requests, request_bytes, response_bytes, duration_us
FROM usage_minutes_before;
INSERT INTO usage_hours (environment, hour, route, consumer, status_class, verdict, requests, request_bytes, response_bytes, duration_us)
SELECT environment, minute / 60, route, consumer, status_class, verdict,
       least(sum(requests), 1::bigint << 61)::bigint, least(sum(request_bytes), 1::bigint << 61)::bigint,
       least(sum(response_bytes), 1::bigint << 61)::bigint, least(sum(duration_us), 1::bigint << 61)::bigint
FROM usage_minutes_before
GROUP BY environment, minute / 60, route, consumer, status_class, verdict;
DROP TABLE usage_minutes_before;

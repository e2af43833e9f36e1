-- +goose Up

-- Which batches were counted: the numbers of each boot of each node. A row stays small for ever,
-- since numbers are gap-free: what is missing in it is what never arrived.
CREATE TABLE usage_receipts (
    node        text COLLATE "C" NOT NULL,
    boot        text COLLATE "C" NOT NULL,
    environment text COLLATE "C" NOT NULL,
    numbers     int8multirange   NOT NULL,
    first_at    timestamptz      NOT NULL,
    latest_at   timestamptz      NOT NULL,
    PRIMARY KEY (node, boot)
);

-- Requests per minute. Rows add up.
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
);

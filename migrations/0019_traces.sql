-- +goose Up

-- How single requests were decided.
ALTER TABLE usage_events
    ADD COLUMN shadow_verdict text COLLATE "C" NOT NULL DEFAULT '', -- of the first policy in shadow that would have rejected it
    ADD COLUMN decision       bytea            NOT NULL DEFAULT ''; -- sallyport.usage.v1.Decision; empty: the node didn't tell

-- What the app keeps, as loosely as such tables are kept in practice, and what we add to it.
CREATE TABLE users (
    user_id   bigint PRIMARY KEY,
    country   text,               -- ISO 3166 code; may be NULL or ''
    languages text[]              -- ISO 639 codes of what the user reads; may be NULL
);

CREATE TABLE posts (
    post_id    bigint PRIMARY KEY,
    owner_id   bigint NOT NULL,   -- not always a row of users: accounts get deleted
    caption    text NOT NULL,
    country    text,              -- may be NULL, '' or 'default'
    language   text,              -- may be NULL
    created_at timestamptz NOT NULL
);

CREATE TABLE interactions (
    user_id    bigint NOT NULL,
    post_id    bigint NOT NULL,
    likes      integer,           -- 1, 0 or NULL
    views      integer NOT NULL,
    saved      char(1),           -- 'Y' or 'N'
    created_at timestamptz NOT NULL
);

CREATE TABLE recommendations (
    user_id             bigint NOT NULL,
    recommended_post_id bigint NOT NULL,
    score               double precision NOT NULL,
    rank                integer NOT NULL CHECK (rank >= 1),
    PRIMARY KEY (user_id, rank),
    UNIQUE (user_id, recommended_post_id)
);

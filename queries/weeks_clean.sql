-- Clean posts, find their week, and say of each why it is dropped, if it is.
--
-- Takes    `posts` (row BIGINT: unique, post_id, user_id, created_us, text, lang, is_repost, is_reply, is_quote, client,
--          platform, problem, had_entity BOOLEAN: HTML entities have been turned into characters); `slots` (slot BIGINT, week INTEGER): the weeks that hold each quarter of an hour, by its first
--          microsecond since 1970 in UTC; the parameters below.
-- Grain    one row per post and week that holds it; exactly one row for a post without a week.
-- Columns  row, post_id, user_id, created_us, text (cleaned), lang (the first tag), is_repost, is_reply,
--          platform, week (null if dropped), dropped (the first reason that applies, or null), had_mention, had_url,
--          had_hash, had_space, had_entity, had_email, had_phone
-- Engines  DuckDB and, translated by sqlglot, Spark.
--
-- $mention, $url    what replaces them; NULL leaves them alone
-- $hashes           remove the character #
-- $spaces           turn runs of white space into one space and trim
-- $from_us, $until_us   bounding dates, first included, second excluded
-- $reposts, $replies, $quotes   keep them
-- $languages        regular expression on the tags (separated by spaces) of what is kept; NULL keeps all
-- $min_characters   shortest text that is kept, after cleaning
-- $emails, $phones  replace addresses and telephone numbers; before mentions, which would leave half of an address
-- $clients          regular expression that marks an automated client; NULL for none
-- $include, $exclude    regular expressions on the cleaned text; NULL for none
--
-- A single plain space is left out of the pattern for runs of white space: matching only what changes is four times
-- faster. Every run is one space by then, so that the end needs no trim(), which walks through the whole text.
-- White space is spelled out because \s is ASCII-only in RE2 and Java while the published rules ran in Python.
WITH without_emails AS (
    SELECT
        *,
        CASE WHEN $emails AND contains(text, '@') THEN
            regexp_replace(text, '[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+[.][A-Za-z]{2,}', '[email]', 'g')
            ELSE text
        END AS no_email
    FROM posts
),
without_phones AS (
    SELECT
        *,
        CASE WHEN $phones THEN
            regexp_replace(no_email, '[+]?[0-9][0-9 ()/.-]{6,}[0-9]', '[phone]', 'g')
            ELSE no_email
        END AS private
    FROM without_emails
),
without_mentions AS (
    SELECT
        *,
        CASE WHEN $mention IS NOT NULL AND contains(private, '@') THEN
            regexp_replace(private, '@[^\x{9}-\x{d}\x{1c}-\x{20}\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}]+', $mention, 'g')
            ELSE private
        END AS no_mention
    FROM without_phones
),
without_urls AS (
    SELECT
        *,
        CASE WHEN $url IS NOT NULL AND contains(no_mention, 'http') THEN
            regexp_replace(no_mention, 'http[^\x{9}-\x{d}\x{1c}-\x{20}\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}]+', $url, 'g')
            ELSE no_mention
        END AS no_url
    FROM without_mentions
),
without_hashes AS (
    SELECT *, CASE WHEN $hashes THEN replace(no_url, '#', '') ELSE no_url END AS no_hash FROM without_urls
),
spaced AS (
    SELECT
        *,
        CASE WHEN $spaces THEN
            ltrim(regexp_replace(
                no_hash,
                '[\x{9}-\x{d}\x{1c}-\x{20}\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}]{2,}|[\x{9}-\x{d}\x{1c}-\x{1f}\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}]', ' ', 'g'))
            ELSE no_hash
        END AS tight
    FROM without_hashes
),
cleaned AS (
    SELECT
        *,
        CASE WHEN $spaces AND ends_with(tight, ' ') THEN left(tight, length(tight) - 1) ELSE tight END AS clean
    FROM spaced
)
SELECT
    row,
    post_id,
    user_id,
    created_us,
    clean AS text,
    split_part(lang, ' ', 1) AS lang,
    is_repost,
    is_reply,
    platform,
    week,
    CASE
        WHEN problem IS NOT NULL THEN problem
        WHEN post_id IS NULL OR post_id = '' THEN 'no_id'
        WHEN user_id IS NULL OR user_id = '' THEN 'no_user'
        WHEN created_us IS NULL OR created_us < 0 OR created_us >= 4102444800000000 THEN 'bad_date'
        WHEN text IS NULL OR text = '' THEN 'no_text'
        WHEN created_us < $from_us OR created_us >= $until_us THEN 'outside_dates'
        WHEN week IS NULL THEN 'outside_weeks'
        WHEN $clients IS NOT NULL AND regexp_matches(coalesce(client, ''), $clients) THEN 'automated_client'
        WHEN is_repost AND NOT $reposts THEN 'repost'
        WHEN is_reply AND NOT $replies THEN 'reply'
        WHEN is_quote AND NOT $quotes THEN 'quote'
        WHEN $languages IS NOT NULL AND NOT regexp_matches(coalesce(lang, '?'), $languages) THEN 'language'
        WHEN clean = '' THEN 'empty_after_cleaning'
        WHEN length(clean) < $min_characters THEN 'too_short'
        WHEN $include IS NOT NULL AND NOT regexp_matches(clean, $include) THEN 'keyword_missing'
        WHEN $exclude IS NOT NULL AND regexp_matches(clean, $exclude) THEN 'keyword_excluded'
    END AS dropped,
    $mention IS NOT NULL AND contains(private, '@') AS had_mention,
    $url IS NOT NULL AND contains(no_mention, 'http') AS had_url,
    $hashes AND contains(no_url, '#') AS had_hash,
    $spaces AND clean <> no_hash AS had_space,
    had_entity,
    $emails AND text <> no_email AS had_email,
    $phones AND no_email <> private AS had_phone
FROM cleaned
LEFT JOIN slots ON slots.slot = created_us - created_us % 900000000

-- Twitter API v1.1 status objects to posts.
--
-- Takes    the relation `records` (number BIGINT, line VARCHAR, context VARCHAR): one JSON object per row.
-- Grain    one row per record; a record that is no JSON has problem 'not_json', one that is no status 'not_a_post'.
-- Columns  number, post_id, user_id, created (the time as the platform writes it), text, lang, is_repost, is_reply,
--          is_quote, client, platform, problem
--
-- The sign of a repost is `retweeted_status` (`retweeted` is always false in dumps); its text comes from there, because
-- the outer text is cut at 140 characters. Ids are read from the *_str fields: numbers beyond 2^53 lose digits.
WITH fields AS (
    SELECT
        number,
        TRY(json_extract_string(line, [
            '$.id_str', '$.id', '$.user.id_str', '$.user.id', '$.created_at',
            '$.extended_tweet.full_text', '$.full_text', '$.text',
            '$.lang', '$.in_reply_to_status_id_str', '$.in_reply_to_status_id', '$.is_quote_status', '$.source',
            '$.retweeted_status.id_str', '$.retweeted_status.id',
            '$.retweeted_status.extended_tweet.full_text', '$.retweeted_status.full_text', '$.retweeted_status.text',
            '$.unknown_layout'
        ])) AS f
    FROM records
)
SELECT
    number,
    coalesce(f[1], f[2]) AS post_id,
    coalesce(f[3], f[4]) AS user_id,
    f[5] AS created,
    coalesce(f[16], f[17], f[18], f[6], f[7], f[8]) AS text,
    f[9] AS lang,
    coalesce(f[14], f[15]) IS NOT NULL AS is_repost,
    coalesce(f[10], f[11]) IS NOT NULL AS is_reply,
    coalesce(f[12] = 'true', false) AS is_quote,
    f[13] AS client,
    'twitter' AS platform,
    CASE
        WHEN f IS NULL THEN 'not_json'
        WHEN f[19] IS NOT NULL OR (coalesce(f[1], f[2]) IS NOT NULL AND coalesce(f[6], f[7], f[8]) IS NULL) THEN 'unknown_layout'
        WHEN coalesce(f[1], f[2], f[5], f[6], f[7], f[8]) IS NULL THEN 'not_a_post'
    END AS problem
FROM fields

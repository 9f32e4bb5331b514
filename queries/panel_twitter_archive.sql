-- Tweets of a personal Twitter archive (tweets.js) to posts.
--
-- Takes    the relations `records` (number BIGINT, line VARCHAR, context VARCHAR: the account's id, from account.js) and
--          `originals` (id VARCHAR, text VARCHAR: the long posts of note-tweet.js).
-- Grain    one row per tweet.
-- Columns  number, post_id, user_id, created (the time as the platform writes it), text, lang, is_repost, is_reply,
--          is_quote, client, platform, problem
--
-- An archive holds no original of a repost: its text stays cut, behind "RT @name: ", which is also its only sign.
WITH fields AS (
    SELECT
        number,
        context,
        TRY(json_extract_string(line, [
            '$.tweet.id_str', '$.tweet.id', '$.tweet.created_at', '$.tweet.full_text', '$.tweet.text', '$.tweet.lang',
            '$.tweet.in_reply_to_status_id_str', '$.tweet.in_reply_to_status_id', '$.tweet.source',
            '$.id_str', '$.id', '$.created_at', '$.full_text', '$.lang', '$.in_reply_to_status_id_str', '$.source'
        ])) AS f
    FROM records
),
named AS (
    SELECT
        number,
        context,
        f IS NULL AS broken,
        coalesce(f[1], f[2], f[10], f[11]) AS post_id,
        coalesce(f[3], f[12]) AS created,
        coalesce(f[4], f[5], f[13]) AS text,
        coalesce(f[6], f[14]) AS lang,
        coalesce(f[7], f[8], f[15]) AS replied_to,
        coalesce(f[9], f[16]) AS client
    FROM fields
)
SELECT
    number,
    post_id,
    nullif(context, '') AS user_id,
    created,
    CASE
        WHEN originals.text IS NOT NULL THEN originals.text
        WHEN starts_with(named.text, 'RT @') THEN regexp_replace(named.text, '^RT @[A-Za-z0-9_]+: ', '')
        ELSE named.text
    END AS text,
    lang,
    coalesce(starts_with(named.text, 'RT @'), false) AS is_repost,
    replied_to IS NOT NULL AS is_reply,
    false AS is_quote,
    client,
    'twitter' AS platform,
    CASE
        WHEN broken THEN 'not_json'
        WHEN named.text IS NULL AND post_id IS NOT NULL THEN 'unknown_layout'
        WHEN coalesce(post_id, named.text) IS NULL THEN 'not_a_post'
    END AS problem
FROM named
LEFT JOIN originals ON originals.id = named.post_id
ORDER BY number

-- Posts as Twitter's web page receives them (collected by Zeeschuimer) to status objects of the API v1.1.
--
-- Takes    the relation `records` (number BIGINT, line VARCHAR, context VARCHAR).
-- Grain    one row per record.
-- Columns  number, line (what panel_twitter_v1.sql takes; '{}' for a record that is no post, null for one that is no JSON),
--          context
--
-- The page's object holds a v1.1 status in `legacy`, its user in `core`, a long text in `note_tweet`, and the original of a
-- repost in `legacy.retweeted_status_result`; posts of limited visibility, and some originals, lie one level deeper, in
-- `tweet`. Older pages put the user beside `legacy`. A repost whose original is gone has an empty object there.
WITH parsed AS (
    SELECT number, context, TRY(json_extract(line, ['$', '$.tweet'])) AS j FROM records
),
posts AS (
    SELECT number, context, j IS NULL AS broken, CASE WHEN json_type(j[2]) = 'OBJECT' THEN j[2] ELSE j[1] END AS post
    FROM parsed
),
originals AS (
    SELECT
        *,
        json_type(post, '$.legacy.retweeted_status_result') = 'OBJECT' AS is_repost,
        coalesce(
            json_extract(post, '$.legacy.retweeted_status_result.result.tweet'),
            json_extract(post, '$.legacy.retweeted_status_result.result')) AS original
    FROM posts
),
fields AS (
    SELECT
        number,
        context,
        broken,
        is_repost,
        json_extract_string(post, [
            '$.rest_id', '$.legacy.id_str', '$.legacy.created_at', '$.note_tweet.note_tweet_results.result.text',
            '$.legacy.full_text', '$.legacy.lang', '$.legacy.in_reply_to_status_id_str', '$.legacy.is_quote_status',
            '$.source', '$.legacy.source', '$.legacy.user_id_str', '$.core.user_results.result.rest_id', '$.user.id_str'
        ]) AS f,
        json_extract_string(original, [
            '$.rest_id', '$.legacy.id_str', '$.note_tweet.note_tweet_results.result.text', '$.legacy.full_text'
        ]) AS o
    FROM originals
)
SELECT
    number,
    CAST(CASE
        WHEN broken THEN NULL
        WHEN f[3] IS NULL THEN '{}'
        ELSE json_object(
            'id_str', coalesce(f[1], f[2]),
            'created_at', f[3],
            'full_text', coalesce(f[4], f[5]),
            'lang', f[6],
            'in_reply_to_status_id_str', f[7],
            'is_quote_status', f[8],
            'source', coalesce(f[9], f[10]),
            'user', json_object('id_str', coalesce(f[11], f[12], f[13])),
            'retweeted_status', CASE
                WHEN is_repost THEN json_object('id_str', coalesce(o[1], o[2], ''), 'full_text', coalesce(o[3], o[4]))
            END)
    END AS VARCHAR) AS line,
    context
FROM fields

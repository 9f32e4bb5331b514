-- Posts as Twitter's web page receives them (collected by Zeeschuimer) to status objects of the API v1.1.
--
-- Takes    the relation `records` (number BIGINT, line VARCHAR, context VARCHAR).
-- Grain    one row per record.
-- Columns  number, line (what panel_twitter_v1.sql takes; '{}' for a record that is no post, null for one that is no JSON,
--          {"unknown_layout": true} for a post whose text or time lies where this query does not look),
--          context
--
-- The page's object holds a v1.1 status in `legacy`, its user in `core`, a long text in `note_tweet`, and the original of a
-- repost in `legacy.retweeted_status_result`; posts of limited visibility, and some originals, lie one level deeper, in
-- `tweet`. Older pages put the user beside `legacy`. A repost whose original is gone has an empty object there.
-- Since 2025 users carry their name in `core`; since 2026 some pages have no `legacy` at all: text, time and language lie in
-- `details`, what is answered, quoted and reposted in `..._results` beside it.
WITH parsed AS (
    SELECT number, context, TRY(json_extract(line, ['$', '$.tweet'])) AS j FROM records
),
posts AS (
    SELECT number, context, j IS NULL AS broken, CASE WHEN json_type(j[2]) = 'OBJECT' THEN j[2] ELSE j[1] END AS post
    FROM parsed
),
results AS (
    SELECT
        *,
        coalesce(
            json_extract(post, '$.legacy.retweeted_status_result'), json_extract(post, '$.retweeted_status_result'),
            json_extract(post, '$.retweeted_tweet_results'), json_extract(post, '$.repost_results')) AS cited
    FROM posts
),
originals AS (
    SELECT
        *,
        coalesce(json_type(cited) = 'OBJECT', false) AS is_repost,
        coalesce(json_extract(cited, '$.result.tweet'), json_extract(cited, '$.result')) AS original
    FROM results
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
            '$.source', '$.legacy.source', '$.legacy.user_id_str', '$.core.user_results.result.rest_id', '$.user.id_str',
            '$.details.created_at_ms', '$.details.created_at', '$.details.full_text', '$.details.language', '$.details.lang',
            '$.reply_to_results.rest_id', '$.details.in_reply_to_status_id_str', '$.quoted_tweet_results.rest_id',
            '$.quoted_tweet_results.result.rest_id', '$.quoted_status_result.result.rest_id'
        ]) AS f,
        json_extract_string(original, [
            '$.rest_id', '$.legacy.id_str', '$.note_tweet.note_tweet_results.result.text', '$.legacy.full_text',
            '$.details.full_text'
        ]) AS o
    FROM originals
)
SELECT
    number,
    CAST(CASE
        WHEN broken THEN NULL
        WHEN coalesce(f[3], f[14], f[15]) IS NULL OR coalesce(f[4], f[5], f[16]) IS NULL THEN CASE
            WHEN coalesce(f[1], f[2]) IS NULL THEN '{}'
            ELSE '{"unknown_layout": true}'
        END
        ELSE json_object(
            'id_str', coalesce(f[1], f[2]),
            'created_at', coalesce(f[3], f[14], f[15]),
            'full_text', coalesce(f[4], f[5], f[16]),
            'lang', coalesce(f[6], f[17], f[18]),
            'in_reply_to_status_id_str', coalesce(f[7], f[19], f[20]),
            'is_quote_status', coalesce(f[8], CASE WHEN coalesce(f[21], f[22], f[23]) IS NOT NULL THEN 'true' END),
            'source', coalesce(f[9], f[10]),
            'user', json_object('id_str', coalesce(f[11], f[12], f[13])),
            'retweeted_status', CASE
                WHEN is_repost
                    THEN json_object('id_str', coalesce(o[1], o[2], ''), 'full_text', coalesce(o[3], o[4], o[5]))
            END)
    END AS VARCHAR) AS line,
    context
FROM fields

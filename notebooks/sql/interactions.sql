-- What each user did with each post from one moment up to another.
SELECT user_id,
       post_id,
       sum(coalesce(likes, 0))             AS likes,
       sum(views)                          AS views,
       count(*) FILTER (WHERE saved = 'Y') AS saves
FROM interactions
WHERE created_at >= :since
  AND created_at < :until
GROUP BY user_id, post_id
ORDER BY user_id, post_id

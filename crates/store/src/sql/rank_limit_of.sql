-- rank_limit_of: up to which rank the audience goes for now
SELECT rank_limit FROM campaigns WHERE id = $1

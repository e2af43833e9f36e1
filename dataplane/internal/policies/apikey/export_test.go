package apikey

import "github.com/sallyport/sallyport/dataplane/internal/pipeline"

// Cut takes what is named out of a query and of a Cookie field.
func Cut(query, cookies, name string) (string, string) {
	var ex pipeline.Exchange
	ex.Request.Query = query
	ex.Request.Header.Add("Cookie", cookies)
	cutCookie(&ex, name)
	return cutQuery(&ex, name), ex.Request.Header.Get("Cookie")
}

package apikey

import "github.com/sallyport/sallyport/dataplane/internal/pipeline"

func findCookie(h *pipeline.Header, name string) found {
	value, count := pipeline.FindCookie(h, name)
	return found{value: value, any: count > 0, several: count > 1}
}

func findQuery(ex *pipeline.Exchange, name string) found {
	value, count := pipeline.FindParameter(ex, name)
	return found{value: value, any: count > 0, several: count > 1}
}

func cutCookie(ex *pipeline.Exchange, name string) { pipeline.CutCookie(ex, name) }

func cutQuery(ex *pipeline.Exchange, name string) string { return pipeline.CutParameter(ex, name) }

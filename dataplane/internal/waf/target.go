package waf

import (
	"strings"

	"github.com/corazawaf/coraza/v3/types/variables"
)

// Parts of a request that policies name, and parts that findings alone do.
const (
	argument     = "argument"
	argumentName = "argument-name"
	cookie       = "cookie"
	cookieName   = "cookie-name"
	header       = "header"
	headerName   = "header-name"
	bodyPart     = "body"
	pathPart     = "path"
)

// parts are those of Coraza's variables.
var parts = map[string]string{
	"ARGS": argument, "ARGS_GET": argument, "ARGS_POST": argument, "ARGS_PATH": argument,
	"ARGS_NAMES": argumentName, "ARGS_GET_NAMES": argumentName, "ARGS_POST_NAMES": argumentName,
	"REQUEST_COOKIES": cookie, "REQUEST_COOKIES_NAMES": cookieName,
	"REQUEST_HEADERS": header, "REQUEST_HEADERS_NAMES": headerName,
	"REQUEST_BODY": bodyPart, "XML": bodyPart, "REQUEST_XML": bodyPart,
	"REQUEST_URI": pathPart, "REQUEST_URI_RAW": pathPart, "REQUEST_FILENAME": pathPart, "REQUEST_BASENAME": pathPart,
	"QUERY_STRING": "query", "REQUEST_LINE": "request-line", "REQUEST_METHOD": "method", "REQUEST_PROTOCOL": "protocol", "REMOTE_ADDR": "address",
	"FILES": "file", "FILES_NAMES": "file-name", "MULTIPART_PART_HEADERS": "part-header", "MULTIPART_FILENAME": "file",
	"RESPONSE_BODY": "answer-body", "RESPONSE_STATUS": "answer-status", "RESPONSE_HEADERS": "answer-header",
}

// targetOf returns the part of the request that a variable is; one without Part: it is none.
func targetOf(variable, key string) Target {
	if variable == "MATCHED_VARS" || variable == "MATCHED_VARS_NAMES" { // of a condition before: "ARGS:comment"
		variable, key, _ = strings.Cut(key, ":")
	}
	t := Target{Part: parts[variable]}
	if t.Part != bodyPart && t.Part != pathPart {
		t.Name = strings.Clone(key)
	}
	return t
}

// chosen is a variable of Coraza's, of which a key is meant; none: all.
type chosen struct {
	variable variables.RuleVariable
	key      string
}

// variablesOf returns those that a part of a request is spread over.
func variablesOf(t Target) []chosen {
	key := t.Name
	if key == "*" {
		key = ""
	}
	var all []chosen
	for _, v := range variablesOfPart[t.Part] {
		all = append(all, chosen{v, key})
	}
	return all
}

var variablesOfPart = map[string][]variables.RuleVariable{
	argument:     {variables.Args, variables.ArgsGet, variables.ArgsPost, variables.ArgsPath},
	argumentName: {variables.ArgsNames, variables.ArgsGetNames, variables.ArgsPostNames},
	cookie:       {variables.RequestCookies},
	cookieName:   {variables.RequestCookiesNames},
	header:       {variables.RequestHeaders},
	headerName:   {variables.RequestHeadersNames},
	bodyPart:     {variables.RequestBody, variables.XML, variables.RequestXML},
	pathPart:     {variables.RequestURI, variables.RequestURIRaw, variables.RequestFilename, variables.RequestBasename},
}

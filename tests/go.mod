module github.com/sallyport/sallyport/tests

go 1.26.0

replace (
	github.com/sallyport/sallyport => ../
	github.com/sallyport/sallyport/sdk => ../sdk
)

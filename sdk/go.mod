module github.com/sallyport/sallyport/sdk

go 1.26.0

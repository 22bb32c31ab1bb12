module github.com/tidemill/tidemill/tests/matrix/go

go 1.24

require github.com/tidemill/tidemill/guest-sdk/go v0.1.0

require (
	github.com/klauspost/cpuid/v2 v2.2.10 // indirect
	github.com/zeebo/xxh3 v1.1.0 // indirect
	golang.org/x/sys v0.30.0 // indirect
)

replace github.com/tidemill/tidemill/guest-sdk/go => ../../../guest-sdk/go

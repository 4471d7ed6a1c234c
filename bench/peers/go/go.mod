module switchboard/peers

go 1.19

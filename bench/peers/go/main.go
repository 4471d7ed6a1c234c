// A goroutine for each connection, bufio in both directions, flushed before a read that would wait;
// after every message with a third word `each`. With a third word `large` the buffers are as large as
// what the floor reads at a time.
package main

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"strings"
)

// What bufio has if nothing is said.
var bufferSize = 4096

func main() {
	place, framing := os.Args[1], os.Args[2]
	each := len(os.Args) > 3 && os.Args[3] == "each"
	if len(os.Args) > 3 && os.Args[3] == "large" {
		bufferSize = 64 * 1024
	}
	listener, err := listen(place)
	if err != nil {
		log.Fatal(err)
	}
	for {
		connection, err := listener.Accept()
		if err != nil {
			log.Fatal(err)
		}
		if framing == "lines" {
			go echoLines(connection)
		} else {
			go echoMessages(connection, each)
		}
	}
}

// Go sets TCP_NODELAY by itself.
func listen(place string) (net.Listener, error) {
	if strings.HasPrefix(place, "unix:") {
		listener, err := net.Listen("unix", strings.TrimPrefix(place, "unix:"))
		if err == nil {
			fmt.Println("ready")
		}
		return listener, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err == nil {
		fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	}
	return listener, err
}

func echoMessages(connection net.Conn, each bool) {
	defer connection.Close()
	reader := bufio.NewReaderSize(connection, bufferSize)
	writer := bufio.NewWriterSize(connection, bufferSize)
	var prefix [4]byte
	var message []byte
	for {
		if (each || reader.Buffered() == 0) && writer.Flush() != nil {
			return
		}
		if _, err := io.ReadFull(reader, prefix[:]); err != nil {
			return
		}
		size := int(binary.BigEndian.Uint32(prefix[:]))
		if cap(message) < size {
			message = make([]byte, size)
		}
		message = message[:size]
		if _, err := io.ReadFull(reader, message); err != nil {
			return
		}
		// An error of writing stays, and the flush tells it.
		writer.Write(prefix[:])
		writer.Write(message)
	}
}

func echoLines(connection net.Conn) {
	defer connection.Close()
	reader := bufio.NewReaderSize(connection, bufferSize)
	writer := bufio.NewWriterSize(connection, bufferSize)
	for {
		if reader.Buffered() == 0 && writer.Flush() != nil {
			return
		}
		line, err := reader.ReadSlice('\n')
		if err != nil {
			return
		}
		writer.Write(line)
	}
}

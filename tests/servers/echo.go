// A goroutine for each connection and bufio in both directions, flushed after each message. PORT
package main

import (
	"bufio"
	"encoding/binary"
	"io"
	"log"
	"net"
	"os"
)

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:"+os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	for {
		connection, err := listener.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go echo(connection)
	}
}

func echo(connection net.Conn) {
	defer connection.Close()
	reader := bufio.NewReader(connection)
	writer := bufio.NewWriter(connection)
	for {
		var size uint32
		if binary.Read(reader, binary.BigEndian, &size) != nil {
			return
		}
		message := make([]byte, size)
		if _, err := io.ReadFull(reader, message); err != nil {
			return
		}
		binary.Write(writer, binary.BigEndian, size)
		writer.Write(message)
		if writer.Flush() != nil {
			return
		}
	}
}

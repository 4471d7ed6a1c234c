// Boost.Asio: async_read of the prefix, async_read of the message, async_write. PORT
#include <array>
#include <boost/asio.hpp>
#include <boost/endian/conversion.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace asio = boost::asio;
using boost::system::error_code;
using asio::ip::tcp;

class Session : public std::enable_shared_from_this<Session> {
    // What is next, where there was no error; else the session goes, and its socket with it.
    template <typename Next>
    auto then(Next next) {
        return [self = shared_from_this(), next](error_code error, std::size_t) {
            if (!error) {
                next(*self);
            }
        };
    }

public:
    explicit Session(tcp::socket socket) : socket_(std::move(socket)) {}

    void read() {
        asio::async_read(socket_, asio::buffer(&size_, 4), then([](Session& self) {
            self.message_.resize(boost::endian::big_to_native(self.size_));
            self.read_message();
        }));
    }

private:
    void read_message() {
        asio::async_read(socket_, asio::buffer(message_), then([](Session& self) {
            self.write();
        }));
    }

    void write() {
        std::array<asio::const_buffer, 2> reply = {asio::buffer(&size_, 4), asio::buffer(message_)};
        asio::async_write(socket_, reply, then([](Session& self) { self.read(); }));
    }

    tcp::socket socket_;
    std::uint32_t size_ = 0;
    std::vector<char> message_;
};

void accept(tcp::acceptor& acceptor) {
    acceptor.async_accept([&acceptor](error_code error, tcp::socket socket) {
        if (!error) {
            std::make_shared<Session>(std::move(socket))->read();
        }
        accept(acceptor);
    });
}

int main(int, char** arguments) {
    asio::io_context context;
    auto port = static_cast<unsigned short>(std::stoi(arguments[1]));
    tcp::acceptor acceptor(context, {asio::ip::address_v4::loopback(), port});
    accept(acceptor);
    context.run();
}

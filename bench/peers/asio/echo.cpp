// Boost.Asio: an io_context in one thread, a buffer for each direction of each connection. What a
// read has brought is parsed, and answered with one write.
#include <boost/asio.hpp>
#include <cstdint>
#include <cstring>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

namespace asio = boost::asio;
using boost::system::error_code;

template <typename Socket>
class Session : public std::enable_shared_from_this<Session<Socket>> {
public:
    explicit Session(Socket socket) : socket_(std::move(socket)) {}

    void read() {
        auto self = this->shared_from_this();
        auto room = asio::buffer(input_.data() + filled_, input_.size() - filled_);
        socket_.async_read_some(room, [self](error_code error, std::size_t count) {
            if (!error) {
                self->filled_ += count;
                self->answer();
            }
        });
    }

private:
    static constexpr std::size_t read_bytes = 64 * 1024;

    void answer() {
        output_.clear();
        std::size_t at = 0;
        std::size_t wanted = read_bytes;
        while (filled_ - at >= 4) {
            const unsigned char* prefix = input_.data() + at;
            std::size_t whole = 4 + (std::size_t(prefix[0]) << 24 | std::size_t(prefix[1]) << 16 |
                                     std::size_t(prefix[2]) << 8 | std::size_t(prefix[3]));
            if (filled_ - at < whole) {
                wanted = std::max(wanted, whole);
                break;
            }
            output_.insert(output_.end(), prefix, prefix + whole);
            at += whole;
        }
        std::memmove(input_.data(), input_.data() + at, filled_ - at);
        filled_ -= at;
        if (input_.size() < wanted) {
            input_.resize(wanted);
        }
        if (output_.empty()) {
            read();
            return;
        }
        auto self = this->shared_from_this();
        asio::async_write(socket_, asio::buffer(output_), [self](error_code error, std::size_t) {
            if (!error) {
                self->read();
            }
        });
    }

    Socket socket_;
    std::vector<unsigned char> input_ = std::vector<unsigned char>(read_bytes);
    std::vector<unsigned char> output_;
    std::size_t filled_ = 0;
};

template <typename Protocol, typename Prepare>
void accept(typename Protocol::acceptor& acceptor, Prepare prepare) {
    acceptor.async_accept([&acceptor, prepare](error_code error, typename Protocol::socket socket) {
        if (!error) {
            prepare(socket);
            std::make_shared<Session<typename Protocol::socket>>(std::move(socket))->read();
        }
        accept<Protocol>(acceptor, prepare);
    });
}

int main(int, char** arguments) {
    // One thread: no locks inside of it.
    asio::io_context context(BOOST_ASIO_CONCURRENCY_HINT_UNSAFE);
    std::string place = arguments[1];
    if (place.rfind("unix:", 0) == 0) {
        using Protocol = asio::local::stream_protocol;
        Protocol::acceptor acceptor(context, Protocol::endpoint(place.substr(5)));
        std::cout << "ready" << std::endl;
        accept<Protocol>(acceptor, [](Protocol::socket&) {});
        context.run();
    } else {
        using Protocol = asio::ip::tcp;
        Protocol::acceptor acceptor(context, {asio::ip::address_v4::loopback(), 0});
        std::cout << acceptor.local_endpoint().port() << std::endl;
        accept<Protocol>(acceptor, [](Protocol::socket& socket) {
            socket.set_option(Protocol::no_delay(true));
        });
        context.run();
    }
}

import NIOCore
import NIOPosix
import Synchronization

@testable import MatrixFederation

/// A DNS server on a UDP socket of the loopback address, that knows what it is told.
final class LoopbackDNS: Sendable {
    struct Zone: Sendable {
        var addresses: [String: [String]] = [:]
        var services: [String: [ServiceRecord]] = [:]
        /// Questions about these get no answer at all; `*` for every name.
        var silent: Set<String> = []
        /// Questions about these are refused.
        var refused: Set<String> = []
    }

    private let zone: Mutex<Zone>
    private let asked = Mutex<[String]>([])
    private let channel = Mutex<(any Channel)?>(nil)

    init(_ zone: Zone) async throws {
        self.zone = Mutex(zone)
        let channel = try await DatagramBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelInitializer { [weak self] channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Answering { self?.answer($0) })
                }
            }.bind(host: "127.0.0.1", port: 0).get()
        self.channel.withLock { $0 = channel }
    }

    deinit { channel.withLock { $0?.close(promise: nil) } }

    /// As the transport is told.
    var address: String { "127.0.0.1:\(channel.withLock { $0?.localAddress?.port } ?? 0)" }

    /// The names asked for, each with its type, in their order.
    var questions: [String] { asked.withLock { $0 } }

    func change(_ act: (inout Zone) -> Void) { zone.withLock { act(&$0) } }

    private func answer(_ message: [UInt8]) -> [UInt8]? {
        guard message.count > 12 else { return nil }
        var labels: [String] = []
        var at = 12
        while at < message.count, message[at] > 0, at + Int(message[at]) < message.count {
            labels.append(String(decoding: message[(at + 1)...(at + Int(message[at]))], as: UTF8.self))
            at += Int(message[at]) + 1
        }
        guard at + 5 <= message.count else { return nil }
        let type = Int(message[at + 1]) << 8 | Int(message[at + 2])
        let name = labels.joined(separator: ".").lowercased()
        asked.withLock { $0.append("\(name) \(type)") }
        let zone = zone.withLock { $0 }
        guard !zone.silent.contains(name), !zone.silent.contains("*") else { return nil }
        let records = records(of: name, type, in: zone)
        let isKnown = zone.addresses[name] != nil || zone.services[name] != nil
        let code: UInt8 = zone.refused.contains(name) ? 5 : isKnown ? 0 : 3
        var reply = Array(message[..<2]) + [0x81, 0x80 | code, 0, 1]
        reply += [0, UInt8(records.count), 0, 0, 0, 0] + message[12..<(at + 5)]
        for record in records {
            reply += [0xC0, 12, 0, UInt8(type), 0, 1, 0, 0, 0, 60, 0, UInt8(record.count)] + record
        }
        return reply
    }

    private func records(of name: String, _ type: Int, in zone: Zone) -> [[UInt8]] {
        let addresses = (zone.addresses[name] ?? []).compactMap { IPAddress(parsing: $0) }
        switch type {
        case 1: return addresses.filter(\.isIPv4).map(\.bytes)
        case 28: return addresses.filter { !$0.isIPv4 }.map(\.bytes)
        case 33:
            return (zone.services[name] ?? []).map { record in
                var bytes: [UInt8] = []
                for number in [record.priority, record.weight, record.port] {
                    bytes += [UInt8(number >> 8), UInt8(number & 0xFF)]
                }
                for label in record.host.split(separator: ".") {
                    bytes += [UInt8(label.utf8.count)] + Array(label.utf8)
                }
                return bytes + [0]
            }
        default: return []
        }
    }
}

private final class Answering: ChannelInboundHandler {
    typealias InboundIn = AddressedEnvelope<ByteBuffer>
    typealias OutboundOut = AddressedEnvelope<ByteBuffer>

    private let answer: ([UInt8]) -> [UInt8]?

    init(_ answer: @escaping ([UInt8]) -> [UInt8]?) { self.answer = answer }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let question = unwrapInboundIn(data)
        guard let reply = answer(Array(question.data.readableBytesView)) else { return }
        let envelope = AddressedEnvelope(remoteAddress: question.remoteAddress, data: ByteBuffer(bytes: reply))
        context.writeAndFlush(wrapOutboundOut(envelope), promise: nil)
    }
}

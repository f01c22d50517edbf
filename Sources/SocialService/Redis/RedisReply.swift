import CHiredis

/// What Redis says.
indirect enum RedisReply: Hashable, Sendable {
    /// Text or bytes, or a status.
    case bytes([UInt8])
    case integer(Int64)
    case none
    case list([RedisReply])
    case error(String)

    var text: String? {
        guard case .bytes(let bytes) = self else { return nil }
        return String(validating: bytes, as: UTF8.self)
    }

    var list: [RedisReply]? {
        guard case .list(let list) = self else { return nil }
        return list
    }

    var integer: Int64? {
        guard case .integer(let integer) = self else { return nil }
        return integer
    }
}

/// Makes replies of bytes, as they come; for one connection, on its event loop.
struct RedisReplyReader: ~Copyable {
    /// Redis sent something that is not its protocol.
    struct Garbled: Error {}

    private let reader: UnsafeMutablePointer<redisReader>?

    init() { reader = redisReaderCreate() }

    deinit { if let reader { redisReaderFree(reader) } }

    /// Takes bytes in.
    /// - Returns: the replies that are complete now.
    func feed(_ bytes: UnsafeRawBufferPointer) throws -> [RedisReply] {
        guard let reader, let start = bytes.bindMemory(to: CChar.self).baseAddress else { return [] }
        guard redisReaderFeed(reader, start, bytes.count) == REDIS_OK else { throw Garbled() }
        var replies: [RedisReply] = []
        while true {
            var reply: UnsafeMutableRawPointer?
            guard redisReaderGetReply(reader, &reply) == REDIS_OK else { throw Garbled() }
            guard let reply else { return replies }
            replies.append(RedisReply(reply.assumingMemoryBound(to: redisReply.self).pointee))
            freeReplyObject(reply)
        }
    }
}

extension RedisReply {
    fileprivate init(_ reply: redisReply) {
        switch reply.type {
        case REDIS_REPLY_STRING, REDIS_REPLY_STATUS: self = .bytes(RedisReply.bytes(of: reply))
        case REDIS_REPLY_ERROR: self = .error(String(decoding: RedisReply.bytes(of: reply), as: UTF8.self))
        case REDIS_REPLY_INTEGER: self = .integer(reply.integer)
        case REDIS_REPLY_ARRAY:
            self = .list((0..<reply.elements).map { reply.element[$0].map { RedisReply($0.pointee) } ?? .none })
        default: self = .none
        }
    }

    private static func bytes(of reply: redisReply) -> [UInt8] {
        guard let start = reply.str else { return [] }
        return Array(UnsafeRawBufferPointer(start: start, count: reply.len))
    }
}

/// A command and its arguments, as Redis reads them.
enum RedisCommand {
    static func encode(_ words: [[UInt8]]) -> [UInt8] {
        var storage: [UnsafePointer<CChar>?] = []
        let lengths = words.map(\.count)
        let joined = Array(words.joined()) + [0]
        return joined.withUnsafeBytes { bytes in
            guard let base = bytes.bindMemory(to: CChar.self).baseAddress else { return [] }
            var place = 0
            for length in lengths {
                storage.append(base + place)
                place += length
            }
            var target: UnsafeMutablePointer<CChar>?
            let count = redisFormatCommandArgv(&target, Int32(words.count), &storage, lengths)
            guard let target, count > 0 else { return [] }
            defer { redisFreeCommand(target) }
            return Array(UnsafeRawBufferPointer(start: target, count: Int(count)))
        }
    }
}

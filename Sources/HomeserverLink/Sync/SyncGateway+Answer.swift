import HTTPTypes
import HummingbirdCore
import MatrixHTTP
import MatrixWire
import NIOCore
import PresenceEngine
import PresenceModel
import PresenceRuntime
import Synchronization

extension SyncGateway {
    /// Asks the homeserver, and passes its answer on: with presence, if there is a wish and it is an answer to a sync.
    ///
    /// The device is connected until the last byte is out or the client is gone.
    /// - Throws: 502 or 504 if the homeserver gives no answer.
    func answer(
        _ request: MatrixRequest, by call: Upstream.Call, on key: DeviceKey, _ presence: SetPresence, _ wish: Wish?
    ) async throws(MatrixErrorBody) -> Answer {
        let hold = await SyncHold(key, presence, wakes: configuration.earlyWake && wish != nil, runtime)
        var call = call
        if wish != nil {
            call.headers[.acceptEncoding] = "identity"
            call.unpacks = true
        }
        var reply: Upstream.Reply
        do throws(UpstreamError) {
            reply = try await send(call, hold, wish)
        } catch {
            await hold.end()
            throw error.refusal
        }
        if reply.status == 401 { tokens.forgetToken(of: request) }
        let isUnpacked = call.unpacks && SyncGateway.unpack(&reply.headers)
        guard let wish, reply.status == 200, SyncGateway.isJSON(reply.headers) else {
            if isUnpacked { reply.headers[.contentLength] = nil }
            return PassThrough.answer(with: reply, to: request, hangup: call.hangup) { await hold.end() }
        }
        var headers = Forwarding.endToEnd(reply.headers)
        headers[.contentLength] = nil
        let hangups = [call.hangup].compactMap(\.self)
        let body = reply.body
        return .passedOn(status: reply.status, headers: headers) { [self] writer in
            let out = OneWriter(writer)
            do {
                try await Hangup.cancelling(at: hangups) {
                    var merging = SyncMerging(wish, hold: hold, gateway: self, out: out.writer)
                    for try await part in body { try await merging.take(part) }
                    try await merging.finish()
                }
            } catch {
                await hold.end()
                throw error
            }
            await hold.end()
        }
    }

    private static func isJSON(_ headers: HTTPFields) -> Bool {
        guard headers[.contentEncoding] == nil, let type = headers[.contentType] else { return false }
        return type.lowercased().hasPrefix("application/json")
    }

    /// What the connection has unpacked already is said no more.
    private static func unpack(_ headers: inout HTTPFields) -> Bool {
        switch headers[.contentEncoding]?.lowercased() {
        case "identity":
            headers[.contentEncoding] = nil
            return false
        case "gzip", "deflate":
            headers[.contentEncoding] = nil
            return true
        default: return false
        }
    }
}

/// A device's sync under way: the device is connected until ``end()``, at the latest until nobody holds this any more.
final class SyncHold: Sendable {
    let id: StreamID
    /// For early wakes.
    let stream: PresenceRuntime.OpenStream?
    private let runtime: PresenceRuntime
    private let isOver = Mutex(false)

    init(_ key: DeviceKey, _ presence: SetPresence, wakes: Bool, _ runtime: PresenceRuntime) async {
        self.runtime = runtime
        if wakes {
            let stream = await runtime.openStream(on: key, presence)
            self.stream = stream
            id = stream.id
        } else {
            stream = nil
            id = await runtime.openSync(on: key, presence)
        }
    }

    /// Whoever waits for a client that never took its answer is let go of. A second end changes nothing.
    deinit {
        guard begin() else { return }
        let (runtime, id) = (runtime, id)
        Task { await runtime.closeStream(id) }
    }

    func end() async {
        if begin() { await runtime.closeStream(id) }
    }

    private func begin() -> Bool {
        isOver.withLock { isOver in
            defer { isOver = true }
            return !isOver
        }
    }
}

/// An answer on its way through the splicer, out to the client.
private struct SyncMerging {
    private let wish: SyncGateway.Wish
    private let hold: SyncHold
    private let gateway: SyncGateway
    private var out: any ResponseBodyWriter
    private var splicer: SyncSplicer
    /// What goes out next, together.
    private var gathered: ByteBuffer?
    private var told: PresenceRuntime.StreamPosition?

    init(_ wish: SyncGateway.Wish, hold: SyncHold, gateway: SyncGateway, out: any ResponseBodyWriter) {
        self.wish = wish
        self.hold = hold
        self.gateway = gateway
        self.out = out
        // Who gets everyone needs nobody besides.
        let learns = if case .after = wish.start { true } else { false }
        splicer = SyncSplicer(wish.shape, learningJoinsFor: learns ? wish.key.user : nil)
    }

    mutating func take(_ part: ByteBuffer) async throws {
        var part = part
        while part.readableBytes > 0 {
            let taken = part.withUnsafeReadableBytes { splicer.take($0.bindMemory(to: UInt8.self)) }
            for piece in taken.pieces {
                switch piece {
                case .kept(let bytes): gather(ByteBuffer(bytes: bytes))
                case .chunk(let range):
                    let slice = part.getSlice(at: part.readerIndex + range.lowerBound, length: range.count)
                    if let slice { gather(slice) }
                }
            }
            part.moveReaderIndex(forwardBy: taken.consumed)
            if splicer.isPresenceDue { gather(ByteBuffer(bytes: splicer.presence(await news()))) }
        }
        if let gathered { try await out.write(gathered) }
        gathered = nil
    }

    mutating func finish() async throws {
        let kept = splicer.finish()
        if !kept.isEmpty { try await out.write(ByteBuffer(bytes: kept)) }
        guard splicer.isComplete, let told, let token = splicer.nextBatch else { return try await out.finish(nil) }
        try await gateway.advance(wish.key, token: token, realm: wish.realm, to: told) {
            try await out.finish(nil)
        }
    }

    private mutating func gather(_ bytes: ByteBuffer) {
        if gathered == nil {
            gathered = bytes
        } else {
            gathered?.writeImmutableBuffer(bytes)
        }
    }

    /// Events for the client, at this very moment.
    private mutating func news() async -> [[UInt8]] {
        let batch = await gateway.batch(for: wish, on: hold.id, splicer.joins)
        guard !batch.isOver else { return [] }
        told = batch.position
        return gateway.client.presenceEvents(in: gateway.filtered(batch, for: wish), for: wish.key.user)
    }
}

extension SyncGateway {
    /// What there is to tell, and besides that who came into rooms.
    func batch(for wish: Wish, on stream: StreamID, _ joins: SyncJoins?) async -> PresenceRuntime.Batch {
        guard case .after(let position) = wish.start else {
            return await runtime.changes(for: wish.key.user, on: stream, since: nil)
        }
        guard let joins, !joins.isCut else {
            // More than can be named one by one.
            let since = joins == nil ? position : nil
            return await runtime.changes(for: wish.key.user, on: stream, since: since)
        }
        return await runtime.changes(
            for: wish.key.user, on: stream, since: position,
            besides: joins.joins.map { PresenceEngine.Newcomer(user: $0.user, room: $0.room) },
            membersOf: joins.ownRooms)
    }

    /// What of a batch the client wants to know.
    func filtered(_ batch: PresenceRuntime.Batch, for wish: Wish) -> PresenceRuntime.Batch {
        var batch = batch
        if wish.start == .everyone(tellsOffline: false) {
            batch.sightings.removeAll { sighting in
                guard case .known(let presence) = sighting.knowledge else { return true }
                return presence.state == .offline
            }
        }
        if !wish.filter.allows(wish.key.user) { batch.own = nil }
        if wish.filter != .everything { batch.sightings.removeAll { !wish.filter.allows($0.user) } }
        if let limit = wish.filter.limit {
            if batch.sightings.count >= limit { batch.own = nil }
            batch.sightings = batch.sightings.suffix(limit)
        }
        return batch
    }
}

import HummingbirdCore
import NIOCore
import Synchronization

/// The body of a request on its way to the homeserver, read as fast as the homeserver takes it.
///
/// The connection that it comes over reads on behind it for the next request, so nobody may still be reading it when
/// the request is over: ``close()`` sees to that. Optionally keeps a copy.
final class BodyRelay: Sendable {
    private struct State {
        var isReading = false
        var isOver = false
        /// How many bytes are still to come, where that was announced.
        var missing: Int?
        var closing: CheckedContinuation<Void, Never>?
        var copy: [ByteBuffer] = []
        /// How many bytes more may be copied; `nil`: none, and what there was is dropped.
        var room: Int?
    }

    /// Touched only by the one reader whom ``begin()`` lets in.
    private nonisolated(unsafe) var iterator: RequestBody.AsyncIterator
    private let state: Mutex<State>

    /// - Parameters:
    ///   - length: as announced; `nil` if it is not.
    ///   - copyLimit: a longer body is not copied; `nil` for no copy.
    init(_ body: RequestBody, length: Int?, copyLimit: Int? = nil) {
        iterator = body.makeAsyncIterator()
        state = Mutex(State(missing: length, room: copyLimit))
    }

    /// The next part, or `nil` at the end.
    /// - Throws: if the client's connection broke before, or the relay is closed.
    func next() async throws -> ByteBuffer? {
        guard state.withLock({ BodyRelay.begin(&$0) }) else { throw CancellationError() }
        do {
            let part = try await iterator.next()
            finish(part)
            return part
        } catch {
            finish(nil)
            throw error
        }
    }

    /// Returns when nobody reads any more; whoever tries to is turned away from now on.
    func close() async {
        await withCheckedContinuation { continuation in
            let isFree = state.withLock { state in
                state.isOver = true
                if state.isReading { state.closing = continuation }
                return !state.isReading
            }
            if isFree { continuation.resume() }
        }
    }

    /// What is kept of a request's body.
    enum Copy: Hashable, Sendable {
        /// It has none.
        case none
        case whole([UInt8])
        /// It was too long, or was not read to its end.
        case notKept
    }

    /// Everything that was read, once the end was reached.
    var copy: Copy {
        state.withLock { state in
            // A homeserver may answer after the last byte, before the end is read.
            guard state.isOver || state.missing == 0, state.room != nil else { return .notKept }
            return .whole(
                state.copy.reduce(into: []) { bytes, part in bytes.append(contentsOf: part.readableBytesView) })
        }
    }

    private static func begin(_ state: inout State) -> Bool {
        guard !state.isReading, !state.isOver else { return false }
        state.isReading = true
        return true
    }

    private func finish(_ part: ByteBuffer?) {
        let closing = state.withLock { state in
            state.isReading = false
            if part == nil { state.isOver = true }
            if let part, let missing = state.missing { state.missing = missing - part.readableBytes }
            if let part, let room = state.room {
                state.room = room >= part.readableBytes ? room - part.readableBytes : nil
                if state.room == nil { state.copy = [] } else { state.copy.append(part) }
            }
            defer { state.closing = nil }
            return state.closing
        }
        closing?.resume()
    }
}

extension BodyRelay: AsyncSequence {
    typealias Element = ByteBuffer

    struct AsyncIterator: AsyncIteratorProtocol {
        let relay: BodyRelay

        func next() async throws -> ByteBuffer? { try await relay.next() }
    }

    func makeAsyncIterator() -> AsyncIterator { AsyncIterator(relay: self) }
}

import Foundation
import PresenceModel
import SocialEngine
import SocialWire
import Synchronization

// Subscriptions, and staying there: each goes on over lost connections until whoever listens stops.
extension SocialClient {
    /// Friends' presence: a snapshot, then changes. When the connection is lost, that is said, and a snapshot follows
    /// once there is one again.
    ///
    /// Of a service that does not name friends in its updates, the snapshot says who is online, and nothing follows.
    /// - Throws: ``SocialClientError`` when the service refuses; a lost connection is none.
    public nonisolated func presenceUpdates() -> AsyncThrowingStream<PresenceUpdate, any Error> {
        subscription { [self] connection, tell in
            var (_, reader) = try await presence(on: connection)
            while let update = try await reader.next() { try tell(update) }
        } lost: {
            .lost($0)
        }
    }

    /// Friends, requests, and what happens to them: a snapshot, then news. When the connection is lost, that is said,
    /// and a snapshot follows once there is one again.
    /// - Throws: ``SocialClientError`` when the service refuses; a lost connection is none.
    public nonisolated func friendshipUpdates() -> AsyncThrowingStream<FriendshipUpdate, any Error> {
        subscription { [self] connection, tell in
            var (_, reader) = try await friendships(on: connection)
            while let update = try await reader.next() { try tell(update) }
        } lost: {
            .lost($0)
        }
    }

    /// Says every `interval` that the user is there, until it is cancelled; over lost connections too. What failed is
    /// not said later: the next one says it.
    /// - Parameters:
    ///   - interval: 30 s by ADR-246; the service shows the user offline 2 min after the last one.
    ///   - whereabouts: asked each time.
    ///   - told: how each went.
    /// - Throws: ``SocialClientError`` when the service refuses; a lost connection is none.
    public nonisolated func stayOnline(
        every interval: Duration = .seconds(30), at whereabouts: @Sendable () -> Whereabouts?,
        told: @Sendable (Result<Whereabouts?, SocialClientError>) -> Void = { _ in }
    ) async throws {
        var failures = 0
        while !Task.isCancelled {
            do {
                told(.success(try await heartbeat(whereabouts())))
                failures = 0
                try await Task.sleep(for: interval)
            } catch let error as SocialClientError where error.code.isPassing {
                guard await !isOver else { return }
                failures += 1
                told(.failure(error))
                try await Task.sleep(for: min(pause(afterFailures: failures), interval))
            }
        }
    }

    private nonisolated func subscription<Update: Sendable>(
        _ follow: @escaping @Sendable (SocialConnection, @Sendable (Update) throws -> Void) async throws -> Void,
        lost: @escaping @Sendable (SocialClientError) -> Update
    ) -> AsyncThrowingStream<Update, any Error> {
        let limit = SocialClient.unreadLimit
        return AsyncThrowingStream(bufferingPolicy: .bufferingOldest(limit)) { continuation in
            let failures = Mutex(0)
            let task = Task {
                while await !isOver {
                    var error = SocialClientError(.connectionLost, "the service ended the subscription")
                    do {
                        try await follow(try await connected()) { update in
                            failures.withLock { $0 = 0 }
                            if case .dropped = continuation.yield(update) {
                                throw SocialClientError(.refused, "\(limit) updates wait to be read: too many")
                            }
                        }
                    } catch let failure as SocialClientError where failure.code.isPassing {
                        error = failure
                    } catch {
                        return continuation.finish(throwing: error)
                    }
                    guard !Task.isCancelled, await !isOver else { break }
                    let count = failures.withLock { count in
                        count += 1
                        return count
                    }
                    if count == 1 { continuation.yield(lost(error)) }
                    try? await Task.sleep(for: pause(afterFailures: count))
                }
                continuation.finish()
            }
            continuation.onTermination = { _ in task.cancel() }
        }
    }

    /// Whoever leaves that many updates unread has their subscription ended.
    public static var unreadLimit: Int { 1_000 }

    private nonisolated func pause(afterFailures failures: Int) -> Duration {
        var generator = SystemRandomNumberGenerator()
        return configuration.pause.duration(afterFailures: failures, using: &generator)
    }
}

extension SocialClientError.Code {
    /// It may work later without anybody doing anything.
    var isPassing: Bool {
        switch self {
        case .unreachable, .connectionLost, .timedOut, .tooManyRequests, .failed: true
        case .badAddress, .unauthorized, .forbidden, .refused, .notOffered, .malformed: false
        }
    }
}

/// Where a client gets its connection from.
protocol ConnectionSource: Sendable {
    /// The connection that stands. Where there is none, one is made, or waited for if that is the business of others.
    /// - Throws: ``SocialClientError``, `CancellationError`.
    func connected() async throws -> SocialConnection

    /// As ``connected()``, for a question: does not wait for the attempts of others.
    /// - Throws: ``SocialClientError``, `CancellationError`.
    func ready() async throws -> SocialConnection

    /// Returns when a subscription may be begun: of those who share a connection, only so many begin at once.
    /// - Throws: `CancellationError`.
    func enter() async throws

    /// The subscription that was entered for has begun, or failed.
    func leave() async

    /// No more is wanted of it.
    func close() async

    /// Whether a connection stands.
    var isOpen: Bool { get async }
}

/// A connection that one client has to itself.
actor OwnConnection: ConnectionSource {
    private let configuration: SocialClient.Configuration
    private let greet: @Sendable (SocialConnection) async throws -> Void
    private var connection: SocialConnection?
    private var connecting: Task<SocialConnection, any Error>?
    private var isClosed = false

    /// - Parameter greet: says who the client is, on each connection first of all.
    init(
        _ configuration: SocialClient.Configuration, greet: @escaping @Sendable (SocialConnection) async throws -> Void
    ) {
        self.configuration = configuration
        self.greet = greet
    }

    /// Whoever forgets it has closed it.
    deinit {
        connecting?.cancel()
        if let connection { Task { await connection.close() } }
    }

    /// Whether it stands.
    var isOpen: Bool { connection?.isOpen ?? false }

    /// Whoever else waits for one waits for the same attempt.
    func connected() async throws -> SocialConnection {
        guard !isClosed else { throw SocialClientError.closed }
        if let connection, connection.isOpen { return connection }
        if let connecting { return try await connecting.value }
        let attempt = Task { [configuration, greet] in
            let made = try await SocialConnection.open(configuration)
            do {
                try await greet(made)
            } catch {
                await made.close()
                throw error
            }
            return made
        }
        connecting = attempt
        defer { connecting = nil }
        let made = try await attempt.value
        guard !isClosed else {
            await made.close()
            throw SocialClientError.closed
        }
        connection = made
        return made
    }

    func ready() async throws -> SocialConnection { try await connected() }

    nonisolated func enter() async throws {}

    nonisolated func leave() async {}

    func close() async {
        isClosed = true
        connecting?.cancel()
        let ended = connection
        connection = nil
        await ended?.close()
    }
}

extension SocialClientError {
    static let closed = SocialClientError(.connectionLost, "the client is closed")
}

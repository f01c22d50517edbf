import HTTPTypes
import HummingbirdCore
import MatrixHTTP
import MatrixWire
import NIOCore
import PresenceEngine
import PresenceModel
import PresenceRuntime

extension ClientGateway {
    /// `GET …/org.presenced/presence/stream`: the presence of everyone the caller may see.
    ///
    /// As server-sent events: a snapshot of `m.presence` events, `event: org.presenced.live` where it ends, then
    /// every change as it comes; `Last-Event-ID` resumes after what was seen. As a long-poll, with `since` or
    /// `timeout` (milliseconds) in the query: `{"events":[…],"next_batch":"…"}`, at once if there is something new,
    /// else as soon as there is, else empty after the time-out. An unknown position gives the snapshot.
    /// While it is open the device counts as connected and in use; `set_presence` in the query, `online` or left out,
    /// says with `unavailable` that it is idle, and with `offline` that the stream is not to touch presence. The user's
    /// own event has keys for them alone: ``MatrixWire/PresenceContent``. Event shape: section 2.3 of the facts.
    func streamPresence(_ request: MatrixRequest) async throws(MatrixErrorBody) -> Answer {
        let key = try await authenticate(request)
        let since = try request.queryValue("since")
        let timeout = try request.queryValue("timeout")
        let presence = try setPresence(in: request)
        let wantsEvents = request.headers[.accept]?.contains("text/event-stream") ?? false
        guard !wantsEvents, since != nil || timeout != nil else {
            // A browser can set no header on its first try, and repeats it on its own afterwards.
            let text = request.headers[.lastEventID] ?? since
            let position = text.flatMap { positions.position(of: $0) }
            return serverSentEvents(to: key, presence, from: position, request)
        }
        var position: PresenceRuntime.StreamPosition?
        if let since, !since.isEmpty {
            guard let parsed = positions.position(of: since) else {
                throw MatrixErrorBody(.invalidParameter, "since is not a next_batch of this stream.")
            }
            position = parsed
        }
        var wait = Duration.zero
        if let timeout {
            guard let milliseconds = Int64(timeout), milliseconds >= 0 else {
                throw MatrixErrorBody(.invalidParameter, "timeout is not a number of milliseconds.")
            }
            wait = min(.milliseconds(milliseconds), configuration.longPollLimit)
        }
        return await longPoll(for: key, presence, from: position, wait: wait)
    }

    private func setPresence(in request: MatrixRequest) throws(MatrixErrorBody) -> SetPresence {
        guard let word = try request.queryValue("set_presence") else { return .online }
        guard let presence = SetPresence(rawValue: word) else {
            throw MatrixErrorBody(.invalidParameter, "set_presence must be one of online, unavailable, offline.")
        }
        return presence
    }

    private func longPoll(
        for key: DeviceKey, _ presence: SetPresence, from position: PresenceRuntime.StreamPosition?, wait: Duration
    ) async -> Answer {
        let stream = await runtime.openStream(on: key, presence)
        let timer = Task {
            try? await Task.sleep(for: wait)
            stream.end()
        }
        var batch = await runtime.changes(for: key.user, on: stream.id, since: position)
        if batch.isEmpty, wait > .zero {
            for await _ in stream.wakes {
                batch = await runtime.changes(for: key.user, on: stream.id, since: position)
                if !batch.isEmpty || batch.isOver { break }
            }
        }
        timer.cancel()
        await runtime.closeStream(stream.id)
        var writer = JSONWriter(capacity: 64 + 256 * batch.sightings.count)
        writer.beginObject()
        writer.key("events")
        writer.beginArray()
        for event in presenceEvents(in: batch, for: key.user) { writer.raw(event) }
        writer.endArray()
        if batch.isSnapshot {
            writer.key("snapshot")
            writer.bool(true)
        }
        writer.key("next_batch")
        writer.string(positions.text(of: batch.position))
        writer.endObject()
        return .json(writer.bytes)
    }

    private func serverSentEvents(
        to key: DeviceKey, _ presence: SetPresence, from position: PresenceRuntime.StreamPosition?,
        _ request: MatrixRequest
    ) -> Answer {
        .streamed(contentType: "text/event-stream; charset=utf-8") { writer in
            let stream = await runtime.openStream(on: key, presence)
            let ticks = Task {
                while !Task.isCancelled {
                    try? await Task.sleep(for: configuration.streamKeepalive)
                    guard !Task.isCancelled else { return }
                    guard await mayStillCall(request) else { return stream.end() }
                    stream.wake()
                }
            }
            var body = writer
            do {
                try await request.whileOpen(orElse: stream.end) {
                    try await writeEvents(to: key, on: stream, from: position, &body)
                }
            } catch {
                // The client went away: nothing is lost, it resumes by its last event id.
            }
            ticks.cancel()
            await runtime.closeStream(stream.id)
            try await body.finish(nil)
        }
    }

    /// Whether the token is still good, as far as can be told: whoever logs out somewhere else is not told on.
    private func mayStillCall(_ request: MatrixRequest) async -> Bool {
        do throws(MatrixErrorBody) {
            _ = try await authenticate(request)
        } catch {
            return error.status != 401 && error.status != 403
        }
        return true
    }

    private func writeEvents(
        to key: DeviceKey, on stream: PresenceRuntime.OpenStream, from position: PresenceRuntime.StreamPosition?,
        _ body: inout any ResponseBodyWriter
    ) async throws {
        var batch = await runtime.changes(for: key.user, on: stream.id, since: position)
        var text = lines(for: batch, to: key.user)
        text +=
            "event: org.presenced.live\nid: \(positions.text(of: batch.position))\ndata: {\(batch.isSnapshot ? "\"snapshot\":true" : "")}\n\n"
        try await body.write(ByteBuffer(string: text))
        for await _ in stream.wakes {
            batch = await runtime.changes(for: key.user, on: stream.id, since: batch.position)
            guard !batch.isOver else { return }
            // Nothing new: a comment, so that proxies and the client see that the stream lives.
            try await body.write(ByteBuffer(string: batch.isEmpty ? ":\n\n" : lines(for: batch, to: key.user)))
        }
    }

    /// Every event carries the position after the whole batch only where the batch ends: who resumes in the middle
    /// gets the rest again, never too little.
    private func lines(for batch: PresenceRuntime.Batch, to user: UserID) -> String {
        let events = presenceEvents(in: batch, for: user)
        var text = ""
        for (index, event) in events.enumerated() {
            text += "event: m.presence\n"
            if index == events.count - 1 { text += "id: \(positions.text(of: batch.position))\n" }
            text += "data: \(String(decoding: event, as: UTF8.self))\n\n"
        }
        return text
    }
}

extension HTTPField.Name {
    static let lastEventID = HTTPField.Name("Last-Event-ID") ?? .eTag
}

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
    /// While it is open the device counts as connected. Event shape: section 2.3 of the facts.
    func streamPresence(_ request: MatrixRequest) async throws(MatrixErrorBody) -> Answer {
        let key = try authenticate(request)
        let since = request.queryValue("since")
        let timeout = request.queryValue("timeout")
        let wantsEvents = request.headers[.accept]?.contains("text/event-stream") ?? false
        guard !wantsEvents, since != nil || timeout != nil else {
            let position = request.headers[.lastEventID].flatMap { PresenceRuntime.StreamPosition(text: $0) }
            return serverSentEvents(to: key, from: position, request)
        }
        var position: PresenceRuntime.StreamPosition?
        if let since, !since.isEmpty {
            guard let parsed = PresenceRuntime.StreamPosition(text: since) else {
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
        return await longPoll(for: key, from: position, wait: wait)
    }

    private func longPoll(
        for key: DeviceKey, from position: PresenceRuntime.StreamPosition?, wait: Duration
    ) async -> Answer {
        let stream = await runtime.openStream(on: key)
        let timer = Task {
            try? await Task.sleep(for: wait)
            stream.end()
        }
        var batch = await runtime.changes(for: key.user, on: stream.id, since: position)
        if batch.sightings.isEmpty, wait > .zero {
            for await _ in stream.wakes {
                batch = await runtime.changes(for: key.user, on: stream.id, since: position)
                if !batch.sightings.isEmpty || batch.isOver { break }
            }
        }
        timer.cancel()
        await runtime.closeStream(stream.id)
        var writer = JSONWriter(capacity: 64 + 256 * batch.sightings.count)
        writer.beginObject()
        writer.key("events")
        writer.beginArray()
        for sighting in batch.sightings { write(sighting, at: batch.now, to: &writer) }
        writer.endArray()
        writer.key("next_batch")
        writer.string(batch.position.text)
        writer.endObject()
        return .json(writer.bytes)
    }

    private func serverSentEvents(
        to key: DeviceKey, from position: PresenceRuntime.StreamPosition?, _ request: MatrixRequest
    ) -> Answer {
        .streamed(contentType: "text/event-stream; charset=utf-8") { writer in
            let stream = await runtime.openStream(on: key)
            let ticks = Task {
                while !Task.isCancelled {
                    try? await Task.sleep(for: configuration.streamKeepalive)
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

    private func writeEvents(
        to key: DeviceKey, on stream: PresenceRuntime.OpenStream, from position: PresenceRuntime.StreamPosition?,
        _ body: inout any ResponseBodyWriter
    ) async throws {
        var batch = await runtime.changes(for: key.user, on: stream.id, since: position)
        var text = events(in: batch)
        text += "event: org.presenced.live\nid: \(batch.position.text)\ndata: {}\n\n"
        try await body.write(ByteBuffer(string: text))
        for await _ in stream.wakes {
            batch = await runtime.changes(for: key.user, on: stream.id, since: batch.position)
            guard !batch.isOver else { return }
            // Nothing new: a comment, so that proxies and the client see that the stream lives.
            try await body.write(ByteBuffer(string: batch.sightings.isEmpty ? ":\n\n" : events(in: batch)))
        }
    }

    /// Every event carries the position after the whole batch only where the batch ends: who resumes in the middle
    /// gets the rest again, never too little.
    private func events(in batch: PresenceRuntime.Batch) -> String {
        var text = ""
        for (index, sighting) in batch.sightings.enumerated() {
            var writer = JSONWriter()
            write(sighting, at: batch.now, to: &writer)
            text += "event: m.presence\n"
            if index == batch.sightings.count - 1 { text += "id: \(batch.position.text)\n" }
            text += "data: \(String(decoding: writer.bytes, as: UTF8.self))\n\n"
        }
        return text
    }

    private func write(_ sighting: PresenceEngine.Sighting, at now: Instant, to writer: inout JSONWriter) {
        content(of: sighting.knowledge, at: now).writeEvent(
            sender: sighting.user, to: &writer, busyValue: configuration.busyValue)
    }
}

extension PresenceRuntime.StreamPosition {
    /// `p<boot>_<version>`
    var text: String { "p\(boot)_\(version)" }

    /// `nil` if `text` was never a position.
    init?(text: String) {
        let parts = text.dropFirst().split(separator: "_", omittingEmptySubsequences: false)
        guard text.first == "p", parts.count == 2, let boot = UInt64(parts[0]), let version = UInt64(parts[1]) else {
            return nil
        }
        self.init(boot: boot, version: version)
    }
}

extension HTTPField.Name {
    static let lastEventID = HTTPField.Name("Last-Event-ID") ?? .eTag
}

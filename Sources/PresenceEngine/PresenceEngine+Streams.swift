import PresenceModel

// Clients that listen. Decision 4.
extension PresenceEngine {
    mutating func open(
        _ stream: StreamID, on key: DeviceKey, _ presence: SetPresence, at now: Instant, into effects: inout [Effect]
    ) {
        precondition(streams[stream] == nil, "stream \(stream) opened twice")
        let number = internLocal(key.user)
        users[number].isKnown = true
        if users[number].streams.count >= configuration.streamsPerUser, let oldest = users[number].streams.first {
            close(oldest, at: now, into: &effects)
            effects.append(.wake(oldest))
        }
        let holds = presence != .offline
        streams[stream] = StreamRecord(user: number, device: key.device, holds: holds)
        users[number].streams.append(stream)
        if holds {
            let lease = touchLease(number, key.device, .synced(presence), at: now, into: &effects)
            users[number].devices[lease].openStreams += 1
        }
        refresh(number, at: now, into: &effects)
        updateInterest(of: number, into: &effects)
    }

    mutating func close(_ stream: StreamID, at now: Instant, into effects: inout [Effect]) {
        guard let record = streams.removeValue(forKey: stream) else { return }
        let number = record.user
        users[number].streams.removeAll { $0 == stream }
        if record.holds, let lease = users[number].devices.firstIndex(where: { $0.device == record.device }) {
            users[number].devices[lease].openStreams = max(0, users[number].devices[lease].openStreams - 1)
            users[number].devices[lease].lastSeen = now
            users[number].lastSeen = now
        }
        refresh(number, at: now, into: &effects)
        updateInterest(of: number, into: &effects)
    }

    mutating func endStreams(of device: DeviceID, _ number: Int, into effects: inout [Effect]) {
        for stream in users[number].streams where streams[stream]?.device == device {
            streams[stream] = nil
            users[number].streams.removeAll { $0 == stream }
            effects.append(.wake(stream))
        }
    }

    func wakeStreams(of number: Int, into effects: inout [Effect]) {
        for stream in users[number].streams { effects.append(.wake(stream)) }
    }
}

/// Lets changes of rooms happen one after the other: a replacement reads what is there and then writes what differs, and
/// another change in between would be lost in it.
actor RoomEdits {
    private var latest: Task<Void, Never>?

    /// Runs `edit` when those before it are done.
    func run<Failure: Error>(
        _ edit: @escaping @Sendable () async throws(Failure) -> Void
    ) async -> Result<Void, Failure> {
        let before = latest
        let task = Task { () -> Result<Void, Failure> in
            await before?.value
            do throws(Failure) {
                try await edit()
                return .success(())
            } catch {
                return .failure(error)
            }
        }
        latest = Task { _ = await task.value }
        return await task.value
    }
}

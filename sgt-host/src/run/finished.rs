//! A finished run, read back from its folder or kept in memory.

use super::{Record, RunFolder, Session};
use crate::Result;
use crate::config::RunConfig;
use crate::data::{Dataset, InputUnit, Normalization};
use crate::file::data_error;
use crate::network::{Classifier, Model};
use crate::train::{EpochRow, Progress};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// A finished run: its settings, its network with the trained weights, its record, and the test
/// part it is measured on.
pub struct FinishedRun {
    /// Its folder, if it has one.
    pub folder: Option<PathBuf>,
    /// What it was trained with.
    pub config: RunConfig,
    /// The number of samples it was trained on.
    pub training_samples: usize,
    /// The number of those in each class.
    pub training_classes: Vec<usize>,
    /// What its training showed, epoch by epoch; none when its folder does not say.
    pub epochs: Vec<EpochRow>,
    /// What it is measured on.
    pub test: Arc<Dataset>,
    /// From the file's values to those of `test`.
    pub standardisation: Normalization,
    /// The trained network.
    pub model: Classifier,
    /// What was written when it ended.
    pub record: Record,
}

impl FinishedRun {
    /// The run of `session` that has just trained `model`; it is written to `folder`, if there
    /// is one.
    ///
    /// # Errors
    /// As [`Session::finish`].
    pub fn new(
        session: Session,
        folder: Option<&RunFolder>,
        model: Classifier,
        progress: &Progress,
        time: Duration,
        tests: &TestParts,
    ) -> Result<Self> {
        let record = session.finish(folder, &model, progress, time)?;
        let folder = folder.map(|folder| folder.path().into());
        let epochs = progress.rows.clone();
        Ok(Self::of(session, folder, model, (record, epochs), tests))
    }

    /// Reads the folders of several runs; `data_dir` replaces the folder of named data sets.
    ///
    /// # Errors
    /// [`crate::Error::Data`] when a run is not finished, or when its configuration, weights or data
    /// are not those it was finished with; as [`RunFolder::open`] and [`Session::open`].
    pub fn open_all(paths: &[PathBuf], data_dir: Option<&str>) -> Result<Vec<Self>> {
        let tests = TestParts::default();
        let open = |path: &PathBuf| Self::open(path, data_dir, &tests);
        paths.iter().map(open).collect()
    }

    fn open(path: &Path, data_dir: Option<&str>, tests: &TestParts) -> Result<Self> {
        let (folder, mut draft) = RunFolder::open(path)?;
        let unfinished = || data_error(path, "an unfinished run", "one that sgt train finished");
        let record = folder.read_record()?.ok_or_else(unfinished)?;
        if let Some(data_dir) = data_dir {
            draft.set("data.folder", data_dir);
        }
        let session = Session::open(&draft)?;
        Self::with_session(session, &folder, record, tests)
    }

    /// The finished run of `session` in `folder`, whose record is `record`.
    ///
    /// # Errors
    /// As [`FinishedRun::open_all`].
    pub(crate) fn with_session(
        session: Session,
        folder: &RunFolder,
        record: Record,
        tests: &TestParts,
    ) -> Result<Self> {
        let (config_path, data) = (folder.config_path(), &session.config().data);
        let identity = session.identity()?;
        if let Some(saved) = folder.saved_identity() {
            identity.check(&saved, &config_path, data)?;
        }
        identity.check_record(&record, &config_path, data)?;
        let weights = folder.read_weights()?;
        let mut model = session.classifier()?;
        weights.load_into(model.parameters_mut())?;
        let path = Some(folder.path().into());
        let epochs = folder.read_metrics()?;
        Ok(Self::of(session, path, model, (record, epochs), tests))
    }

    fn of(
        session: Session,
        folder: Option<PathBuf>,
        model: Classifier,
        (record, epochs): (Record, Vec<EpochRow>),
        tests: &TestParts,
    ) -> Self {
        Self {
            folder,
            config: session.config().clone(),
            training_samples: session.training_data().train.len(),
            training_classes: session.training_data().train.class_counts(),
            epochs,
            standardisation: session.standardisation(),
            test: tests.share(session.into_test()),
            model,
            record,
        }
    }

    /// What a person calls it: its folder, or its regime and seed.
    pub fn name(&self) -> String {
        match &self.folder {
            Some(folder) => folder.display().to_string(),
            None => format!("{}, seed {}", self.config.regime, self.config.seed),
        }
    }

    /// What ε and attributions are measured in.
    pub fn unit(&self) -> InputUnit {
        match self.test.bounds() {
            None if self.config.data.standardise => InputUnit::TrainingDeviation,
            bounds => InputUnit::Recorded(bounds),
        }
    }
}

/// The test parts of several runs, each once in memory however many runs it belongs to.
#[derive(Default)]
pub struct TestParts(Mutex<Vec<Arc<Dataset>>>);

impl TestParts {
    fn share(&self, test: Dataset) -> Arc<Dataset> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(same) = known.iter().find(|known| ***known == test) {
            return Arc::clone(same);
        }
        let test = Arc::new(test);
        known.push(Arc::clone(&test));
        test
    }
}

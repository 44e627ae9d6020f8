# docker build -t crack-sweeps . && docker run --gpus all --shm-size=8g -v "$PWD/data:/crack-sweeps/data" -v "$PWD/outputs:/crack-sweeps/outputs" crack-sweeps
FROM python:3.13-slim
WORKDIR /crack-sweeps
COPY requirements.lock pyproject.toml README.md LICENSE ./
RUN pip install --no-cache-dir --no-deps --require-hashes -r requirements.lock
COPY . .
RUN pip install --no-cache-dir --no-deps --no-build-isolation -e . && python -m sweeps.run --list
CMD ["crack-sweep"]
